//! What `ps` shows as a process's command line: the monitor says there whom it watches, as Open vSwitch's does. The name
//! of the process (`comm`), which scripts compare, stays as it is.
//!
//! The kernel shows the memory where the arguments were put at `exec`; it is overwritten through `/proc/self/mem`. Nothing
//! of ours reads it any more: `main` has copied the arguments.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

/// Fields of `/proc/self/stat` behind the name in parentheses, counted from 0: `arg_start` and the one after it.
const ARG_START: usize = 45;

/// The command line, to be replaced and put back.
pub struct Title {
    memory: File,
    start: u64,
    original: Vec<u8>,
}

impl Title {
    /// `None` where the kernel does not let us.
    pub fn take() -> Option<Title> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let mut bounds = fields.split_whitespace().skip(ARG_START).map(str::parse::<u64>);
        let (start, end) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
        let memory = OpenOptions::new().read(true).write(true).open("/proc/self/mem").ok()?;
        let mut original = vec![0; usize::try_from(end.checked_sub(start)?).ok()?];
        memory.read_exact_at(&mut original, start).ok()?;
        Some(Title { memory, start, original })
    }

    /// Shows `text`, as much of it as there is room for.
    pub fn set(&self, text: &str) {
        let mut shown = vec![0; self.original.len()];
        let n = text.len().min(shown.len().saturating_sub(1));
        shown[..n].copy_from_slice(&text.as_bytes()[..n]);
        self.write(&shown);
    }

    /// Shows the command line again.
    pub fn restore(&self) {
        self.write(&self.original);
    }

    fn write(&self, bytes: &[u8]) {
        // A title that cannot be set is no reason to fail.
        let _ = self.memory.write_all_at(bytes, self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_changes_and_comes_back() {
        let shown = || fs::read("/proc/self/cmdline").unwrap();
        let before = shown();
        let title = Title::take().unwrap();
        assert_eq!(title.original, before);
        title.set("x: monitoring");
        assert!(shown().starts_with(b"x: monitoring\0\0") || before.len() < 15, "{:?}", shown());
        title.set(&"long".repeat(10_000));
        assert_eq!(shown().len(), before.len());
        title.restore();
        assert_eq!(shown(), before);
    }
}
