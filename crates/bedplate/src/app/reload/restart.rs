//! Sections that only a start takes up.

use bedplate_pipeline::CacheConfig;

use crate::app::prints::Prints;
use crate::project::Project;
use crate::settings::Settings;

/// Those that say something else than at the start, themselves or in a file that they name.
pub(super) fn waiting(
    project: &Project,
    (started, prints): &(Settings, Prints),
    (settings, now): (&Settings, &Prints),
) -> Vec<&'static str> {
    let files = |settings: &Settings, prints: &Prints, section: &str| {
        let files = settings.files(&project.dir);
        prints.only(files.iter().filter(|file| file.section == section).map(|file| file.path.as_path()))
    };
    let said = |settings: &Settings| sections(settings);
    let differ = |((name, before), (_, after)): ((&'static str, String), (&str, String))| {
        let section = name.trim_matches(['[', ']']);
        let same = before == after && files(started, prints, section) == files(settings, now, section);
        (!same).then_some(name)
    };
    said(started).into_iter().zip(said(settings)).filter_map(differ).collect()
}

fn sections(settings: &Settings) -> [(&'static str, String); 12] {
    fn json(section: &impl serde::Serialize) -> String {
        serde_json::to_string(section).unwrap_or_default()
    }
    [
        ("[listen]", json(&settings.listen)),
        ("[limits] connections", settings.limits.connections.to_string()),
        ("[store]", json(&settings.store)),
        ("[log]", json(&settings.log)),
        ("[metrics]", json(&settings.metrics)),
        ("[emf]", json(&settings.emf)),
        ("[cloudwatch]", json(&settings.cloudwatch)),
        ("[traces]", json(&settings.traces)),
        ("[[notify]]", json(&settings.notify)),
        ("[sim]", json(&settings.sim)),
        ("[budgets]", json(&settings.budgets)),
        (
            "[cache] memory, entries and deadline",
            json(&CacheConfig { rule: Vec::new(), ..settings.cache.clone() }),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_waits_when_it_changed_or_a_file_of_its() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open(folder.path()).unwrap();
        let look = |text: &str| {
            std::fs::write(project.config(), text).unwrap();
            let settings = Settings::load(&project).unwrap();
            let prints = Prints::of(settings.files(&project.dir).into_iter().map(|file| file.path));
            (settings, prints)
        };
        std::fs::write(folder.path().join("url"), "postgres://a").unwrap();
        std::fs::write(folder.path().join("bearer"), "a").unwrap();
        let text = "[store]\nledger = { postgres = { file = \"url\" } }\n[[provider]]\nname = \"a\"\nkind = \"bedrock\"\nbearer = { file = \"bearer\" }\n";
        let started = look(text);
        let waiting =
            |(settings, prints): (Settings, Prints)| waiting(&project, &started, (&settings, &prints));
        assert!(waiting(look(text)).is_empty());
        std::fs::write(folder.path().join("bearer"), "b").unwrap();
        assert!(waiting(look(text)).is_empty(), "taken up at once");
        std::fs::write(folder.path().join("url"), "postgres://b").unwrap();
        assert_eq!(waiting(look(text)), ["[store]"]);
        let more = format!("{text}[traces]\nsample = 0.5\n[limits]\nconnections = 7\n");
        assert_eq!(waiting(look(&more)), ["[limits] connections", "[store]", "[traces]"]);
    }
}
