//! The `%` patterns of log lines, such as `%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m`.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::modules::Level;

/// What a pattern may refer to.
pub(super) struct Line<'a> {
    pub number: u32,
    pub module: &'a str,
    pub level: Level,
    pub message: &'a str,
    /// The thread's name, empty for the main thread.
    pub thread: &'a str,
    pub facility: u8,
    pub now: SystemTime,
}

/// Expands `pattern` for `line`.
pub(super) fn expand(pattern: &str, line: &Line<'_>) -> String {
    let mut out = String::with_capacity(line.message.len() + 64);
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut left = false;
        let mut fill = ' ';
        let mut width = 0usize;
        while let Some(&c) = rest.peek() {
            match c {
                '-' => left = true,
                '0' if width == 0 => fill = '0',
                '0'..='9' => {
                    width = (width * 10 + c as usize - '0' as usize).min(100);
                }
                _ => break,
            }
            rest.next();
        }
        let Some(code) = rest.next() else { break };
        let argument = braced(&mut rest);
        let text = field(code, argument.as_deref(), line);
        pad(&mut out, &text, left, fill, width);
    }
    out
}

/// Takes `{...}` if it is next.
fn braced(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    rest.next_if_eq(&'{')?;
    let mut text = String::new();
    for c in rest.by_ref() {
        if c == '}' {
            break;
        }
        text.push(c);
    }
    Some(text)
}

fn field(code: char, argument: Option<&str>, line: &Line<'_>) -> String {
    let time_format = argument.unwrap_or("%Y-%m-%d %H:%M:%S");
    match code {
        'A' => crate::program::name().to_owned(),
        'B' => (line.facility * 8 + line.level.severity()).to_string(),
        'c' => line.module.to_owned(),
        'd' => strftime(time_format, line.now, Zone::Local),
        'D' => strftime(time_format, line.now, Zone::Utc),
        'E' => hostname(),
        'm' => line.message.to_owned(),
        'n' => "\n".to_owned(),
        'N' => line.number.to_string(),
        'p' => line.level.name().to_owned(),
        'P' => std::process::id().to_string(),
        'r' => super::limit::now_ms().to_string(),
        't' if line.thread.is_empty() => "main".to_owned(),
        't' => line.thread.to_owned(),
        'T' if line.thread.is_empty() => String::new(),
        'T' => format!("({})", line.thread),
        other => other.to_string(),
    }
}

fn pad(out: &mut String, text: &str, left: bool, fill: char, width: usize) {
    let missing = width.saturating_sub(text.chars().count());
    if left {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else {
        out.extend(std::iter::repeat_n(fill, missing));
        out.push_str(text);
    }
}

fn hostname() -> String {
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(name) => name.trim_end().to_owned(),
        Err(_) => "localhost".to_owned(),
    }
}

/// The zone of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    Local,
    Utc,
}

/// C's `strftime`, with each `#` a digit of the fraction of the second.
pub(super) fn strftime(format: &str, now: SystemTime, zone: Zone) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = libc::time_t::try_from(since.as_secs()).unwrap_or_default();
    let Ok(format) = std::ffi::CString::new(format) else { return String::new() };
    let mut buf = [0u8; 256];
    // SAFETY: `tm` is plain data that gmtime_r/localtime_r fill; `format` ends in a zero;
    // strftime writes at most `buf.len()` bytes and gives how many without the zero.
    let len = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        match zone {
            Zone::Utc => libc::gmtime_r(&seconds, &mut tm),
            Zone::Local => libc::localtime_r(&seconds, &mut tm),
        };
        libc::strftime(buf.as_mut_ptr().cast(), buf.len(), format.as_ptr(), &tm)
    };
    let text = String::from_utf8_lossy(buf.get(..len).unwrap_or_default());
    let mut fraction = String::new();
    let _ = write!(fraction, "{:09}", since.subsec_nanos());
    let mut digits = fraction.chars();
    text.chars().map(|c| if c == '#' { digits.next().unwrap_or('0') } else { c }).collect()
}
