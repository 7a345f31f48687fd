use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bedplate_core::ids::SystemIds;
use bedplate_seal::MasterKey;

fn load(path: &Path) -> Result<MasterKey, String> {
    MasterKey::load_or_create(path, &*SystemIds::shared()).map_err(|e| e.to_string())
}

#[test]
fn a_key_is_made_once_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/master.key");
    assert!(MasterKey::load(&path).unwrap_err().to_string().ends_with("does not exist"));
    let made = load(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    let sealed = made.seal(&*SystemIds::shared(), b"a", b"b");
    assert_eq!(&**load(&path).unwrap().open(b"a", &sealed).unwrap(), b"b");
    assert_eq!(MasterKey::load(&path).unwrap().id(), made.id());

    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..3], ["bedplate master key 1", "kind local", &format!("id {}", made.id())]);
    assert!(lines[3].starts_with("key ") && lines[3].len() == 48 && lines.len() == 4);
}

#[test]
fn many_who_start_at_once_share_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let ids: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..16).map(|_| scope.spawn(|| load(&path).unwrap().id())).collect();
        all.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    load(&path).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o610] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let e = load(&path).unwrap_err();
        assert!(e.contains(&format!("mode {mode:04o}")) && e.contains("chmod 600"), "{e}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    load(&path).unwrap();
}

#[test]
fn a_damaged_file_says_what_is_wrong_and_not_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    load(&path).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let secret = good.lines().last().unwrap().strip_prefix("key ").unwrap().to_owned();
    let other = MasterKey::generate(&*SystemIds::shared()).id().to_string();
    let id = good.lines().nth(2).unwrap();
    for (text, said) in [
        (String::new(), "does not begin with the line"),
        (good.replace("key 1", "key 2"), "does not begin with the line"),
        (good.replace("kind local", "kind aws-kms"), "kind `aws-kms`, which this version"),
        (good.replace(id, &format!("id {other}")), "it says key"),
        (good.replace(id, ""), "the line `id …` is not where it belongs"),
        (good.replace(&secret, "AAAA"), "the key has 3 bytes, not 32"),
        (good.replace(&secret, "%"), "not base64"),
    ] {
        fs::write(&path, text).unwrap();
        let e = load(&path).unwrap_err();
        assert!(e.contains(said), "{e}");
        assert!(!e.contains(&secret));
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a-file");
    fs::write(&path, "").unwrap();
    let e = load(&path.join("master.key")).unwrap_err();
    assert!(e.contains("a-file/master.key"), "{e}");
}
