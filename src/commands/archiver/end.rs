//! How a run of `archive`, `import` or `rejects --retry` ends.

use super::Archiver;
use crate::commands::ending::{FailedRun, note, note_failed};
use crate::error::Error;
use crate::report::{Outcome, RunReport};

impl Archiver {
    /// Ends the run: releases the archive and gives the report with its outcome.
    pub fn finish(mut self) -> RunReport {
        // Whether it can be looked at says nothing about this run.
        if self.store.has_moved_on().unwrap_or(false) {
            let cause = format_args!(
                "another run made commits meanwhile; this dry run counted against the archive as it was after commit {}",
                self.read_at
            );
            let warning = Error::new(self.store.dir().display(), cause);
            self.notice(&warning.hint("try again for what is new now"), false);
        }
        let outcome = self.outcome();
        self.report.finish(outcome, self.started.elapsed());
        note(self.console, &self.store, &self.report, self.read_to_end);
        self.report
    }

    /// Ends a run that failed: releases the archive and gives the report of what was done by then.
    pub fn fail(self, error: Error) -> FailedRun {
        let failed = FailedRun::new(error, self.report, self.started);
        note_failed(self.console, &self.store, &failed);
        failed
    }

    fn outcome(&self) -> Outcome {
        let new_rejects = self.report.rejected - self.report.rejected_again;
        let too_many = self.settings.max_rejects.exceeded_by(new_rejects, self.report.lines);
        if self.incomplete {
            Outcome::Incomplete
        } else if self.report.lost() > 0 && !self.report.replay {
            Outcome::LostOffsets
        } else if too_many {
            Outcome::Rejects
        } else {
            Outcome::Done
        }
    }
}
