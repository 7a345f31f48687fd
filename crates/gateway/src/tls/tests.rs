use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.put("");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes a pair, in files of its own or those in use.
    fn put(&self, prefix: &str) {
        make(&self.path(&format!("{prefix}cert.pem")), &self.path(&format!("{prefix}key.pem"))).unwrap();
    }

    fn certificates(&self) -> Certificates {
        Certificates::open((self.path("cert.pem"), self.path("key.pem")), None).unwrap()
    }

    /// Puts the file `prefix` + `name` in the place of `name`, with its times, as archives and `cp -p` do.
    fn replace(&self, prefix: &str, name: &str) {
        let (new, old) = (self.path(&format!("{prefix}{name}")), self.path(name));
        let time = fs::metadata(&old).unwrap().modified().unwrap();
        fs::File::options().append(true).open(&new).unwrap().set_modified(time).unwrap();
        fs::rename(new, old).unwrap();
    }

    fn served(&self, certificates: &Certificates) -> bool {
        let file = CertificateDer::from_pem_file(self.path("cert.pem")).unwrap();
        certificates.current.0.load().cert.first() == Some(&file)
    }
}

#[test]
fn files_with_the_times_of_those_before_them_are_taken_up() {
    let folder = Folder::new();
    let certificates = folder.certificates();
    assert!(!certificates.reload_if_changed().unwrap());
    folder.put("new-");
    folder.replace("new-", "cert.pem");
    folder.replace("new-", "key.pem");
    assert!(!folder.served(&certificates));
    assert!(!certificates.reload_if_changed().unwrap(), "they may still be changing");
    assert!(certificates.reload_if_changed().unwrap());
    assert!(folder.served(&certificates));
    assert!(!certificates.reload_if_changed().unwrap());
}

#[test]
fn a_link_that_is_turned_is_a_change() {
    let folder = Folder::new();
    for version in ["a", "b"] {
        fs::create_dir(folder.path(version)).unwrap();
        folder.put(&format!("{version}/"));
    }
    let link = folder.path("current");
    std::os::unix::fs::symlink(folder.path("b"), &link).unwrap();
    let certificates = Certificates::open((link.join("cert.pem"), link.join("key.pem")), None).unwrap();
    let turned = folder.path("turned");
    std::os::unix::fs::symlink(folder.path("a"), &turned).unwrap();
    fs::rename(turned, link).unwrap();
    certificates.reload_if_changed().unwrap();
    assert!(certificates.reload_if_changed().unwrap());
}

#[test]
fn half_a_pair_is_waited_for_and_a_bad_pair_is_said_once() {
    let folder = Folder::new();
    let certificates = folder.certificates();
    folder.put("new-");
    folder.replace("new-", "cert.pem");
    certificates.reload_if_changed().unwrap();
    folder.replace("new-", "key.pem");
    certificates.reload_if_changed().unwrap();
    assert!(certificates.reload_if_changed().unwrap(), "the key came between two looks");

    fs::write(folder.path("key.pem"), "no key").unwrap();
    certificates.reload_if_changed().unwrap();
    assert!(matches!(certificates.reload_if_changed(), Err(TlsError::Key(..))));
    assert!(!certificates.reload_if_changed().unwrap(), "said once");
    assert!(matches!(certificates.reload(), Err(TlsError::Key(..))), "asked for, said again");
    assert!(folder.served(&certificates), "the old pair stays");
}
