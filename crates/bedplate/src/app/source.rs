//! Where settings come from: the project's file, and what the command line says over it, also when the
//! file is read again.

use crate::app::prints::Prints;
use crate::exit::Failure;
use crate::project::Project;
use crate::settings::Settings;

type Over = dyn Fn(&mut Settings, &Project) -> Result<(), Failure> + Send + Sync;

pub(crate) struct Source {
    pub(crate) project: Project,
    over: Box<Over>,
}

/// What stands in the files now, good or not.
pub(super) struct Read {
    pub(super) settings: Result<Settings, Failure>,
    pub(super) prints: Prints,
}

impl Source {
    /// `over` says what stands over the file's settings.
    pub(crate) fn new(
        project: Project,
        over: impl Fn(&mut Settings, &Project) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { project, over: Box::new(over) }
    }

    pub(super) fn read(&self) -> Read {
        // before anything is read: what changes between is seen as a change by the next look
        let config = Prints::of([self.project.config()]);
        let named = Settings::named_files(&self.project);
        let prints = config.and(Prints::of(named.into_iter().map(|named| named.path)));
        let settings = Settings::load(&self.project).and_then(|mut settings| {
            (self.over)(&mut settings, &self.project)?;
            Ok(settings)
        });
        Read { settings, prints }
    }
}
