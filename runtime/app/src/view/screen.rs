//! The live view: a few lines at the terminal's cursor, drawn over five times a second.

use std::io::{self, Write as _};

use crossterm::cursor::{Hide, MoveToColumn, MoveUp, Show};
use crossterm::terminal::{Clear, ClearType};
use crossterm::{QueueableCommand as _, terminal};

use super::observe::Snapshot;
use super::render::picture;

/// A terminal with a hidden cursor, until it is dropped.
pub struct Screen {
    drawn: u16,
}

impl Screen {
    /// Takes the terminal over.
    pub fn new() -> io::Result<Self> {
        io::stdout().queue(Hide)?.flush()?;
        Ok(Self { drawn: 0 })
    }

    /// Draws over what was drawn before.
    pub fn draw(&mut self, name: &str, now: &Snapshot) -> io::Result<()> {
        let (columns, rows) = terminal::size().unwrap_or((100, 40));
        let mut lines = picture(name, now, usize::from(columns.max(20)) - 1);
        // More lines than the terminal has would scroll, and be drawn again and again.
        lines.truncate(usize::from(rows.max(5)) - 1);
        let mut out = io::stdout().lock();
        if self.drawn > 0 {
            out.queue(MoveUp(self.drawn))?;
        }
        out.queue(MoveToColumn(0))?;
        for line in &lines {
            write!(out, "{line}")?;
            out.queue(Clear(ClearType::UntilNewLine))?;
            writeln!(out)?;
        }
        out.queue(Clear(ClearType::FromCursorDown))?;
        self.drawn = lines.len() as u16;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout();
        let shown = out.queue(Show).and_then(|out| out.flush());
        if let Err(error) = shown {
            tracing::debug!(%error, "the cursor stays hidden");
        }
    }
}
