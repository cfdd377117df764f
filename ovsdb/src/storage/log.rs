//! Records in a file: framing, checksums, appending, taking back.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha1::{Digest, Sha1};

use super::Mode;
use super::disk::Disk;
use super::lock::{Lock, lock};
use crate::error::{Error, Result, tag};

/// Longest header line that is looked at.
const HEADER_SIZE_MAX: usize = 128;
/// Largest record that is read.
const RECORD_SIZE_MAX: u64 = 1 << 32;

const MAGIC: &str = "OVSDB JSON ";

/// The two lines of a record: `json` is one line without its end.
pub fn frame(json: &str, out: &mut String) {
    let mut sha = Sha1::new();
    sha.update(json.as_bytes());
    sha.update(b"\n");
    let _ = write!(out, "{MAGIC}{} ", json.len() + 1);
    write_hex(&sha.finalize(), out);
    out.push('\n');
    out.push_str(json);
    out.push('\n');
}

fn write_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &b in bytes {
        out.push(char::from(DIGITS[usize::from(b >> 4)]));
        out.push(char::from(DIGITS[usize::from(b & 15)]));
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Reads records from the start of a file.
#[derive(Debug)]
pub struct Reader {
    name: String,
    input: BufReader<File>,
    /// Behind the last good record.
    offset: u64,
}

/// Opens `path` and checks that it begins like a database.
///
/// # Errors
/// It cannot be read, or is something else.
pub fn open_reader(path: &Path, file: File) -> Result<Reader> {
    let name = shown(path);
    let mut input = BufReader::with_capacity(1 << 18, file);
    let head = input.fill_buf().map_err(|e| Error::io(format!("{name}: read error"), &e))?;
    if head.is_empty() {
        return Err(Error::new(tag::OVSDB, format!("{name}: cannot identify file type")));
    }
    if head.starts_with(b"OVSDB CLUSTER ") {
        let text = format!("{name}: cannot apply this operation to clustered database file");
        return Err(Error::new(tag::OVSDB, text));
    }
    if !head.starts_with(MAGIC.as_bytes()) {
        return Err(Error::new(tag::OVSDB, format!("{name}: unexpected file format")));
    }
    Ok(Reader { name, input, offset: 0 })
}

impl Reader {
    /// Bytes in the file, as far as is known.
    pub fn size(&self) -> u64 {
        self.input.get_ref().metadata().map_or(0, |m| m.len())
    }

    /// Behind the last good record, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The JSON text of the next record (with the end of its line), or `None` at the end.
    ///
    /// # Errors
    /// A damaged record. What was read before is good.
    pub fn next_record(&mut self, buf: &mut Vec<u8>) -> Result<Option<()>> {
        buf.clear();
        let limit = HEADER_SIZE_MAX as u64;
        let header = self.input.by_ref().take(limit).read_until(b'\n', buf);
        let n = header.map_err(|e| Error::io(format!("{}: read failed", self.name), &e))?;
        if n == 0 {
            return Ok(None);
        }
        let Some((len, sha)) = parse_header(buf) else {
            let line = String::from_utf8_lossy(buf);
            let line = line.strip_suffix('\n').unwrap_or(&line);
            let text =
                format!("{}: parse error at offset {} in header line \"{line}\"", self.name, self.offset);
            return Err(Error::new(tag::SYNTAX, text));
        };
        let data_offset = self.offset + n as u64;
        buf.clear();
        let read = self.input.by_ref().take(len).read_to_end(buf);
        let here = format!("{len} bytes starting at offset {data_offset}");
        let read = read.map_err(|e| Error::io(format!("{}: error reading {here}", self.name), &e))?;
        if (read as u64) < len {
            return Err(Error::eof(format!("{}: error reading {here}", self.name)));
        }
        let mut hex = String::with_capacity(40);
        write_hex(&Sha1::digest(&buf), &mut hex);
        if hex.as_bytes() != sha {
            let want = String::from_utf8_lossy(&sha).into_owned();
            let text = format!("{}: {here} have SHA-1 hash {hex} but should have hash {want}", self.name);
            return Err(Error::new(tag::SYNTAX, text));
        }
        self.offset = data_offset + len;
        Ok(Some(()))
    }

    /// The next record as JSON.
    ///
    /// # Errors
    /// As [`Reader::next_record`], and if it is not a JSON object.
    pub fn next_json(&mut self, buf: &mut Vec<u8>) -> Result<Option<serde_json::Value>> {
        let before = self.offset;
        if self.next_record(buf)?.is_none() {
            return Ok(None);
        }
        let here = format!("{} bytes starting at offset {}", buf.len(), self.offset - buf.len() as u64);
        let problem = match crate::json::parse(buf) {
            Ok(json) if json.is_object() => return Ok(Some(json)),
            Ok(_) => format!("{}: {here} are not a JSON object", self.name),
            Err(e) => format!("{}: {here} are not valid JSON ({e})", self.name),
        };
        self.offset = before;
        Err(Error::new(tag::SYNTAX, problem))
    }
}

fn parse_header(line: &[u8]) -> Option<(u64, [u8; 40])> {
    let line = line.strip_suffix(b"\n")?.strip_prefix(MAGIC.as_bytes())?;
    let space = line.iter().position(|&b| b == b' ')?;
    let len: u64 = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
    let sha: [u8; 40] = line[space + 1..].try_into().ok()?;
    let hex = sha.iter().all(u8::is_ascii_hexdigit);
    (hex && len > 0 && len <= RECORD_SIZE_MAX).then_some((len, sha.map(|b| b.to_ascii_lowercase())))
}

/// A file that records are appended to.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    /// Where the next record goes.
    end: u64,
    /// Something may lie behind `end` that must go before the next record is written.
    dirty_tail: bool,
    /// A sync failed: what the file holds is not what is on the disk.
    suspect: bool,
    _lock: Option<Lock>,
}

impl Log {
    /// Opens `path` as `mode` says, with its lock unless it is only read.
    ///
    /// # Errors
    /// It cannot be opened, made or locked.
    pub fn open(path: &Path, mode: Mode) -> Result<Self> {
        let lock = if mode == Mode::Read { None } else { Some(lock(path)?) };
        let mut options = OpenOptions::new();
        options.read(true).write(mode != Mode::Read).mode(0o660);
        if mode == Mode::Create {
            options.create_new(true);
        }
        let doing = if mode == Mode::Create { "create" } else { "open" };
        let file =
            options.open(path).map_err(|e| Error::io(format!("{}: {doing} failed", path.display()), &e))?;
        Ok(Self {
            path: path.to_owned(),
            disk: Arc::new(file),
            end: 0,
            dirty_tail: false,
            suspect: false,
            _lock: lock,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of good records.
    pub fn len(&self) -> u64 {
        self.end
    }

    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// A reader of the whole file.
    ///
    /// # Errors
    /// As [`open_reader`].
    pub fn reader(&self) -> Result<Reader> {
        let file = File::open(&self.path);
        let file = file.map_err(|e| Error::io(format!("{}: open failed", self.path.display()), &e))?;
        open_reader(&self.path, file)
    }

    /// Says where the good records end, after reading them.
    pub fn set_end(&mut self, end: u64, damaged: bool) {
        self.end = end;
        self.dirty_tail = damaged;
    }

    /// Appends framed records with one write. Nothing of them stays if it fails.
    ///
    /// # Errors
    /// `I/O error`.
    pub fn append(&mut self, records: &[u8]) -> Result<()> {
        if self.dirty_tail {
            self.truncate()?;
        }
        match self.disk.write_all_at(records, self.end) {
            Ok(()) => {
                self.end += records.len() as u64;
                Ok(())
            }
            Err(e) => {
                self.dirty_tail = true;
                let _ = self.truncate();
                Err(Error::io(format!("{}: write failed", shown(&self.path)), &e))
            }
        }
    }

    fn truncate(&mut self) -> Result<()> {
        let done = self.disk.set_len(self.end);
        done.map_err(|e| {
            Error::io(format!("{}: cannot truncate to length {}", shown(&self.path), self.end), &e)
        })?;
        self.dirty_tail = false;
        Ok(())
    }

    /// Takes back everything from `end` on: what was written but could not be made durable.
    pub fn take_back(&mut self, end: u64) {
        self.end = end;
        self.dirty_tail = true;
        let _ = self.truncate();
    }

    /// Puts everything on the disk.
    ///
    /// # Errors
    /// `I/O error`.
    pub fn sync(&mut self) -> Result<()> {
        let done = self.disk.sync();
        self.suspect |= done.is_err();
        done.map_err(|e| Error::io(format!("{}: fsync failed", shown(&self.path)), &e))
    }

    /// Whether a sync has failed, so that only a new file can be trusted.
    pub fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Puts another disk under the log: for tests.
    pub fn map_disk(&mut self, f: impl FnOnce(Arc<dyn Disk>) -> Arc<dyn Disk>) {
        self.disk = f(self.disk.clone());
    }

    /// Puts another file in the place of this one: the caller has renamed it over our path.
    pub(super) fn replace_file(&mut self, file: File, end: u64) {
        self.disk = Arc::new(file);
        self.end = end;
        self.dirty_tail = false;
        self.suspect = false;
    }

    /// Copies bytes from `from` on out of the file.
    pub(super) fn read_from(&self, from: u64) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; (self.end - from) as usize];
        self.disk.read_exact_at(&mut bytes, from)?;
        Ok(bytes)
    }
}
