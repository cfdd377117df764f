//! The loop of `monitor` and `snoop`: prints what comes, answers echo requests, does what the control socket asks.

use std::io::Write;
use std::os::fd::AsFd;
use std::sync::mpsc::Sender;

use daemon::program::fatal;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use openflow::Xid;
use openflow::codec;
use openflow::msg::{Message, PacketIn, PacketInFormat};

use super::control::{Control, Order, Reply, Request};
use crate::ofctl::conn::{Conn, next_xid};
use crate::ofctl::names::Names;
use crate::ofctl::options::Options;

/// Who a watcher is.
#[derive(Clone, Copy)]
pub struct Manner {
    /// False for `snoop`, whose echo requests are somebody else's.
    pub answers_echo: bool,
    /// Send packets that a translation paused for back at once.
    pub resumes: bool,
}

/// Runs until the connection ends or the control socket says `exit`.
pub fn run(o: &Options, conn: &mut Conn, names: Option<&Names>, manner: Manner) {
    // The output goes to stderr, which a daemon's other files do not share.
    let kept = nix::unistd::dup(std::io::stderr()).ok();
    let startup = o.daemon.lifecycle.start().unwrap_or_else(|e| fatal(e));
    let control = Control::open(&o.daemon);
    let _running = startup.complete();
    if let Some(kept) = kept {
        let _ = nix::unistd::dup2_stderr(kept);
    }
    let mut watcher = Watcher { o, conn, names, manner, blocked: false, barrier: None };
    loop {
        while !watcher.blocked
            && let Some(bytes) = watcher.conn.take_message()
        {
            watcher.on_message(&bytes);
        }
        let (mut readable, mut ordered) = (false, false);
        {
            let quiet = if watcher.blocked { PollFlags::empty() } else { PollFlags::POLLIN };
            let mut fds =
                [PollFd::new(watcher.conn.fd(), quiet), PollFd::new(control.wake.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => {
                    let some = |fd: &PollFd<'_>| fd.revents().is_some_and(|r| !r.is_empty());
                    (readable, ordered) = (some(&fds[0]), some(&fds[1]));
                }
                Err(nix::errno::Errno::EINTR) => {}
                Err(e) => fatal(e.desc()),
            }
        }
        if ordered {
            for order in control.take() {
                if watcher.obey(order) {
                    // Let the reply leave.
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    return;
                }
            }
        }
        if readable && let Err(e) = watcher.conn.fill() {
            fatal(format!("{}: vconn_recv: {e}", watcher.conn.name));
        }
    }
}

struct Watcher<'a> {
    o: &'a Options,
    conn: &'a mut Conn,
    names: Option<&'a Names>,
    manner: Manner,
    blocked: bool,
    barrier: Option<(Xid, Sender<Reply>)>,
}

impl Watcher<'_> {
    fn show(&self, prefix: &str, bytes: &[u8]) {
        let mut out = prefix.as_bytes().to_vec();
        let ports = self.names.filter(|_| self.o.names == Some(true)).map(|n| n as _);
        let options = openflow::print::Options { verbosity: self.o.verbosity + 2, ports };
        out.extend_from_slice(openflow::print::message(bytes, options).as_bytes());
        let _ = std::io::stderr().write_all(&out);
    }

    fn on_message(&mut self, bytes: &[u8]) {
        let time = if self.o.timestamp { format!("{}: ", timestamp()) } else { String::new() };
        self.show(&time, bytes);
        match codec::decode(bytes) {
            Ok((xid, Message::EchoRequest(data))) if self.manner.answers_echo => {
                let reply = codec::encode(self.conn.version, xid, &Message::EchoReply(data));
                self.conn.send_raw(&reply);
                self.conn.flush();
            }
            Ok((xid, Message::BarrierReply)) => {
                if let Some((_, reply)) = self.barrier.take_if(|(asked, _)| *asked == xid) {
                    let _ = reply.send(Ok(String::new()));
                }
            }
            Ok((_, Message::PacketIn(packet))) if self.manner.resumes && packet.continuation.is_some() => {
                let resume = resume(*packet);
                let bytes = codec::encode(self.conn.version, next_xid(), &resume);
                self.send(&bytes);
            }
            _ => {}
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.show("send: ", bytes);
        self.conn.send_raw(bytes);
        self.conn.flush();
    }

    /// Does what is asked. True for `exit`.
    fn obey(&mut self, order: Order) -> bool {
        let reply = match order.request {
            Request::Send(messages) => {
                let all_good = messages.iter().all(Result::is_ok);
                let mut text = String::new();
                for message in messages {
                    text += message.as_ref().err().unwrap_or(&"sent");
                    text.push('\n');
                    if let Ok(bytes) = message {
                        self.send(&bytes);
                    }
                }
                if all_good { Ok(text) } else { Err(text) }
            }
            Request::PacketOut(text) => self.packet_out(&text),
            Request::Barrier if self.barrier.is_some() => Err("already waiting for barrier reply".into()),
            Request::Barrier => {
                let xid = self.conn.send(&Message::BarrierRequest);
                self.conn.flush();
                self.barrier = Some((xid, order.reply));
                return false;
            }
            Request::Block(on) => {
                let already = self.blocked == on;
                self.blocked = on;
                match (already, on) {
                    (true, true) => Err("already blocking".into()),
                    (true, false) => Err("already unblocked".into()),
                    _ => Ok(String::new()),
                }
            }
            Request::Exit => {
                let _ = order.reply.send(Ok(String::new()));
                return true;
            }
        };
        let _ = order.reply.send(reply);
        false
    }

    fn packet_out(&mut self, text: &str) -> Reply {
        let packet =
            openflow::text::packet_out::parse(text, self.names.map(|n| n as _)).map_err(|e| e.to_string())?;
        let bytes = codec::encode(self.conn.version, next_xid(), &Message::PacketOut(Box::new(packet)));
        self.show("", &bytes);
        self.conn.send_raw(&bytes);
        self.conn.flush();
        Ok(String::new())
    }
}

/// What sends a paused packet on.
fn resume(packet: PacketIn) -> Message {
    Message::Resume(Box::new(PacketIn {
        format: PacketInFormat::Nxt2,
        buffer_id: None,
        userdata: Vec::new(),
        ..packet
    }))
}

/// The time of day, UTC, as OVS writes it.
fn timestamp() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (now.as_secs() / 86_400, now.as_secs() % 86_400);
    // Civil date from days since 1970, by eras of 400 years.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}.{:03}", now.subsec_millis())
}
