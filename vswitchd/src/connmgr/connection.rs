//! One connection's task: reads frames, answers them in order, sends what is queued. It stops reading while its peer
//! does not read the answers, so what it holds in memory is bounded by one request's answer.

use std::sync::Arc;
use std::time::Duration;

use openflow::msg::{ErrorMsg, Hello, Role, RoleStatus};
use openflow::{Message, OfpError, Version, VersionSet, Xid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use transport::Stream;
use transport::reconnect::{Action, Reconnect};

use super::limiter::Limiter;
use super::manager::{Shared, packet_in_message};
use super::peer::{Async, Peer};
use super::session::{self, Verdict};
use super::wire::{self, Frame, Input};
use super::{Answer, AsyncKind, Requester};
use crate::ofproto::PacketInEvent;

/// Unsent bytes beyond which no further request is read.
const OUT_SIZE_MAX: usize = 256 * 1024;
/// Bytes read at once.
const READ_SIZE: usize = 64 * 1024;
/// Longest sleep: so that a warped clock is noticed.
const TICK: Duration = Duration::from_millis(500);

/// The state of one open connection.
pub(super) struct Connection<'a> {
    pub shared: &'a Shared,
    pub peer: Arc<Peer>,
    pub events: mpsc::Receiver<Async>,
    pub stream: Stream,
    input: Input,
    output: Vec<u8>,
    next_xid: Xid,
    /// Of missed packets, and of the others.
    limiters: [Limiter<Arc<PacketInEvent>>; 2],
}

impl<'a> Connection<'a> {
    pub fn new(shared: &'a Shared, peer: Arc<Peer>, events: mpsc::Receiver<Async>, stream: Stream) -> Self {
        let now = shared.clock.now_ms() as u64;
        let limit = peer.settings().limit;
        Connection {
            shared,
            peer,
            events,
            stream,
            input: Input::default(),
            output: Vec::new(),
            next_xid: 1,
            limiters: std::array::from_fn(|_| Limiter::new(limit, now)),
        }
    }

    /// Exchanges hellos. `Err` is the text for the log and for `Controller.status:last_error`.
    pub async fn handshake(&mut self, versions: VersionSet) -> Result<Version, String> {
        let highest = versions.highest().unwrap_or(Version::V1_0);
        let xid = self.xid();
        wire::encode(highest, xid, &Message::Hello(Hello { versions }), &mut self.output);
        self.flush().await?;
        let frame = loop {
            match self.input.next_frame() {
                Ok(Some(frame)) => break frame,
                Ok(None) => self.read_some().await?,
                Err(e) => return Err(e),
            }
        };
        match wire::decode(&frame) {
            Ok(Message::Hello(hello)) => match session::negotiate(versions, hello) {
                Ok(version) => {
                    self.peer.prefs().version = Some(version);
                    Ok(version)
                }
                Err(why) => {
                    let text =
                        ErrorMsg { error: Ok(OfpError::OFPHFC_INCOMPATIBLE), data: why.clone().into_bytes() };
                    wire::encode(highest, frame.xid, &Message::Error(text), &mut self.output);
                    let _ = self.flush().await;
                    Err(format!("version negotiation failed ({why})"))
                }
            },
            _ => {
                let error = ErrorMsg::reply(OfpError::OFPBRC_BAD_TYPE, &frame.bytes);
                wire::encode(highest, frame.xid, &Message::Error(error), &mut self.output);
                let _ = self.flush().await;
                Err("the first message was not a hello".into())
            }
        }
    }

    /// Serves the peer until the connection ends; the text says why.
    pub async fn serve(&mut self, version: Version, link: &mut Reconnect) -> String {
        loop {
            let now = self.shared.clock.now_ms() as u64;
            let settings = self.peer.settings();
            if let Some(probe_ms) = settings.probe_ms {
                link.set_probe_interval(probe_ms);
            }
            self.limiters.iter_mut().for_each(|l| l.set_limit(settings.limit, now));
            self.release(version, now);
            match link.run(now) {
                Some(Action::Probe) => {
                    let xid = self.xid();
                    self.send(version, xid, &Message::EchoRequest(Vec::new()));
                }
                Some(Action::Disconnect) => return "no response to inactivity probe".into(),
                _ => {}
            }
            let waiting = self.limiters.iter().filter_map(Limiter::deadline);
            let next = link.deadline().into_iter().chain(waiting).min();
            let wait = next.map_or(TICK, |d| Duration::from_millis(d.saturating_sub(now)).min(TICK));
            let may_read = self.output.len() < OUT_SIZE_MAX;
            if may_read && let Err(why) = self.answer(version) {
                let _ = tokio::time::timeout(TICK, self.flush()).await;
                return why;
            }
            let Connection { peer, events, stream, input, output, .. } = self;
            let (mut reader, mut writer) = tokio::io::split(&mut *stream);
            let mut taken = None;
            tokio::select! {
                why = peer.closing() => return why,
                n = writer.write(output), if !output.is_empty() => match n {
                    Ok(0) => return "connection closed by peer".into(),
                    Ok(n) => { output.drain(..n); }
                    Err(e) => return transport::strerror(&e),
                },
                n = read_into(&mut reader, input.space()), if may_read && output.len() < OUT_SIZE_MAX => match n {
                    Ok(0) => return "connection closed by peer".into(),
                    Ok(_) => link.activity(self.shared.clock.now_ms() as u64),
                    Err(e) => return transport::strerror(&e),
                },
                event = events.recv(), if output.len() < OUT_SIZE_MAX => taken = event,
                () = tokio::time::sleep(wait) => {}
            }
            if let Some(event) = taken {
                self.emit(version, event);
            }
        }
    }

    /// Handles every whole frame in the input, until the answers pile up.
    fn answer(&mut self, version: Version) -> Result<(), String> {
        if !self.input.has_frame() {
            return Ok(());
        }
        tokio::task::block_in_place(|| {
            while self.output.len() < OUT_SIZE_MAX {
                // A stream that cannot be followed ends the connection; what came before it counts.
                let frame = match self.input.next_frame() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(why) => {
                        self.shared.pipeline.settle();
                        return Err(why);
                    }
                };
                if let Err(why) = self.on_frame(version, &frame) {
                    self.shared.pipeline.settle();
                    return Err(why);
                }
            }
            self.shared.pipeline.settle();
            Ok(())
        })
    }

    fn on_frame(&mut self, version: Version, frame: &Frame) -> Result<(), String> {
        self.shared.snoop(self.peer.target.is_some(), &frame.bytes);
        let xid = frame.xid;
        if frame.version != version.wire() {
            let error = ErrorMsg::reply(OfpError::OFPBRC_BAD_VERSION, &frame.bytes);
            self.send(version, xid, &Message::Error(error));
            return Err(format!(
                "received OpenFlow version 0x{:02x} != expected {:02x}",
                frame.version,
                version.wire()
            ));
        }
        let decoded = wire::decode(frame);
        if !matches!(decoded, Ok(Message::FlowMod(_))) {
            self.shared.pipeline.settle();
        }
        let verdict = match decoded {
            Ok(message) => {
                let role = self.shared.roles.role(self.peer.id);
                let changes_interest = session::changes_interest(&message);
                let verdict = session::on_message(&mut self.peer.prefs(), role, message);
                if changes_interest {
                    self.shared.review_misses();
                }
                verdict
            }
            Err(error) => Verdict::Refuse(error),
        };
        let answer: Answer = match verdict {
            Verdict::Nothing => Answer::default(),
            Verdict::Reply(reply) => reply.into(),
            Verdict::Refuse(error) => error.into(),
            Verdict::Role(ask) => self.change_role(ask).map(|reply| vec![reply]).into(),
            Verdict::SetConfig(config) => self.shared.pipeline.set_config(config).map(|()| Vec::new()).into(),
            Verdict::GetConfig => {
                let mut config = self.shared.pipeline.config();
                let prefs = self.peer.prefs();
                config.miss_send_len = prefs.miss_send_len;
                config.invalid_ttl_to_controller = Some(prefs.wants_invalid_ttl());
                Message::GetConfigReply(config).into()
            }
            Verdict::Pass(message) => self.pass(version, frame, message),
        };
        // What happened before the answer is told before it.
        while self.output.len() < OUT_SIZE_MAX
            && let Ok(event) = self.events.try_recv()
        {
            self.emit(version, event);
        }
        for (other_xid, message) in &answer.replies {
            match other_xid {
                Some(xid) => self.send(version, *xid, message),
                None => self.reply(version, frame, message),
            }
        }
        if let Some(error) = answer.error {
            tracing::info!(target: "connmgr", rl = 20, "{}: sending {error:?} error reply to a request", self.peer.name);
            self.send(version, xid, &Message::Error(ErrorMsg::reply(error, &frame.bytes)));
        }
        Ok(())
    }

    /// Has the bridge do what is asked; other controllers may want to know of it.
    fn pass(&self, version: Version, frame: &Frame, message: Message) -> Answer {
        let forward = match &message {
            Message::GroupMod(_) | Message::MeterMod(_) if self.shared.is_forwarded(self.peer.id) => {
                Some(message.clone())
            }
            _ => None,
        };
        let from = Requester { conn: self.peer.id, version, xid: frame.xid, size: frame.bytes.len() };
        let answer = self.shared.pipeline.request(from, message);
        if let Some(message) = forward.filter(|_| answer.error.is_none()) {
            self.shared.forward(self.peer.id, message);
        }
        answer
    }

    fn change_role(&self, ask: openflow::msg::RoleMsg) -> Result<Message, OfpError> {
        let (reply, demoted) = self.shared.roles.request(self.peer.id, ask)?;
        if let Some(loser) = demoted.and_then(|id| self.shared.peer(id)) {
            let status = RoleStatus { role: Role::Secondary, reason: 0, generation_id: reply.generation_id };
            if loser.prefs().receives(Role::Secondary, AsyncKind::RoleStatus(0)) {
                loser.send(Arc::new(Message::RoleStatus(status)));
            }
        }
        Ok(Message::RoleReply(reply))
    }

    /// Writes an asynchronous message into the output.
    fn emit(&mut self, version: Version, event: Async) {
        match event {
            Async::PacketIn(packet) => {
                self.peer.packet_taken();
                let now = self.shared.clock.now_ms() as u64;
                let limiter = &mut self.limiters[usize::from(!packet.is_miss())];
                if let Some(packet) = limiter.offer(packet, now) {
                    self.emit_packet(version, &packet);
                }
                self.peer.set_limiters([self.limiters[0].stats, self.limiters[1].stats]);
            }
            Async::Message(message) => self.send_unasked(version, &message),
            Async::Updates(message, n) => {
                self.send_unasked(version, &message);
                if self.peer.updates_taken(n)
                    && let Some(missed) = self.shared.pipeline.resume_monitors(self.peer.id)
                {
                    if !missed.is_empty() {
                        self.send(version, 0, &Message::FlowMonitorReply(missed));
                    }
                    self.send(version, 0, &Message::FlowMonitorResumed);
                }
            }
        }
    }

    /// Sends packets that the rate limit held back.
    fn release(&mut self, version: Version, now: u64) {
        for n in 0..self.limiters.len() {
            while self.output.len() < OUT_SIZE_MAX
                && let Some(packet) = self.limiters[n].poll(now)
            {
                self.emit_packet(version, &packet);
                self.peer.set_limiters([self.limiters[0].stats, self.limiters[1].stats]);
            }
        }
    }

    fn emit_packet(&mut self, version: Version, packet: &PacketInEvent) {
        let (format, miss_send_len) = {
            let prefs = self.peer.prefs();
            (prefs.packet_in_format, prefs.miss_send_len)
        };
        self.send(version, 0, &packet_in_message(packet, format, miss_send_len, version));
    }

    fn send_unasked(&mut self, version: Version, message: &Message) {
        let start = self.output.len();
        wire::encode_unasked(version, self.peer.prefs().nxm, message, &mut self.output);
        self.snoop_from(start);
    }

    fn send(&mut self, version: Version, xid: Xid, message: &Message) {
        let start = self.output.len();
        wire::encode(version, xid, message, &mut self.output);
        self.snoop_from(start);
    }

    fn reply(&mut self, version: Version, request: &Frame, message: &Message) {
        let start = self.output.len();
        wire::encode_reply(version, request, message, &mut self.output);
        self.snoop_from(start);
    }

    fn snoop_from(&self, start: usize) {
        if let Some(sent) = self.output.get(start..) {
            self.shared.snoop(self.peer.target.is_some(), sent);
        }
    }

    async fn flush(&mut self) -> Result<(), String> {
        self.stream.write_all(&self.output).await.map_err(|e| transport::strerror(&e))?;
        self.output.clear();
        Ok(())
    }

    async fn read_some(&mut self) -> Result<(), String> {
        match read_into(&mut self.stream, self.input.space()).await {
            Ok(0) => Err("connection closed by peer".into()),
            Ok(_) => Ok(()),
            Err(e) => Err(transport::strerror(&e)),
        }
    }

    fn xid(&mut self) -> Xid {
        self.next_xid = self.next_xid.wrapping_add(1);
        self.next_xid
    }
}

/// Appends what there is to read, at most `READ_SIZE` bytes.
async fn read_into(reader: &mut (impl AsyncReadExt + Unpin), input: &mut Vec<u8>) -> std::io::Result<usize> {
    input.reserve(READ_SIZE);
    reader.read_buf(input).await
}
