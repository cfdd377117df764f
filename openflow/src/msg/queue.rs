//! Queues: statistics and configuration.

use super::Message;
use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put, Reader, property, put_property};

use crate::types::{OfPort, QueueId};

/// Which queues are asked for; `ANY` and `ALL` mean all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueRequest {
    pub port: OfPort,
    pub queue: QueueId,
}

/// Statistics of one queue; `u64::MAX` = not supported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueStats {
    pub port: OfPort,
    pub queue: QueueId,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    /// `u32::MAX`: the version does not tell.
    pub duration_s: u32,
    pub duration_ns: u32,
}

/// Configuration of one queue; rates in 1/1000 of the link, `None` = not set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueDesc {
    pub port: OfPort,
    pub queue: QueueId,
    pub min_rate: Option<u16>,
    pub max_rate: Option<u16>,
}

const MIN_RATE: u16 = 1;
const MAX_RATE: u16 = 2;
/// A rate above this means "not set".
const RATE_MAX: u16 = 1000;

fn rate(v: u16) -> Option<u16> {
    (v <= RATE_MAX).then_some(v)
}

pub(crate) fn decode_request(b: &mut Body<'_>) -> Decode<QueueRequest> {
    let port = b.port()?;
    if b.is_10() {
        b.r.skip(2)?;
    }
    let queue = QueueId(b.r.u32()?);
    b.r.finish()?;
    Ok(QueueRequest { port: if port == OfPort::ALL && b.is_10() { OfPort::ANY } else { port }, queue })
}

pub(crate) fn encode_request(e: &mut Encoder, kind: Kind, q: &QueueRequest) {
    if e.begin(kind) {
        let port = if e.is_10() && q.port == OfPort::ANY { OfPort::ALL } else { q.port };
        e.port(port);
        if e.is_10() {
            e.w.zeros(2);
        }
        e.w.u32(q.queue.0);
    }
}

pub(crate) fn decode_stats(b: &mut Body<'_>) -> Decode<QueueStats> {
    let unknown = u32::MAX;
    let v14 = b.version >= Version::V1_4;
    let mut extra = None;
    if v14 {
        let len = usize::from(b.r.u16()?);
        b.r.skip(6)?;
        extra = Some(len.checked_sub(48).ok_or(OfpError::OFPBRC_BAD_LEN)?);
    }
    let port = b.port()?;
    if b.is_10() {
        b.r.skip(2)?;
    }
    let queue = QueueId(b.r.u32()?);
    let (tx_bytes, tx_packets, tx_errors) = (b.r.u64()?, b.r.u64()?, b.r.u64()?);
    let (mut duration_s, mut duration_ns) = (unknown, unknown);
    if b.version >= Version::V1_3 {
        duration_s = b.r.u32()?;
        duration_ns = b.r.u32()?;
    }
    b.r.skip(extra.unwrap_or(0))?;
    Ok(QueueStats { port, queue, tx_bytes, tx_packets, tx_errors, duration_s, duration_ns })
}

pub(crate) fn encode_stats(e: &mut Encoder, queues: &[QueueStats]) {
    if e.begin(Kind::QueueReply) {
        e.entries(queues, |e, q| {
            if e.version >= Version::V1_4 {
                e.w.u16(48);
                e.w.zeros(6);
            }
            e.port(q.port);
            if e.is_10() {
                e.w.zeros(2);
            }
            e.w.u32(q.queue.0);
            e.w.u64(q.tx_bytes);
            e.w.u64(q.tx_packets);
            e.w.u64(q.tx_errors);
            if e.version >= Version::V1_3 {
                e.w.u32(q.duration_s);
                e.w.u32(q.duration_ns);
            }
        });
    }
}

pub(crate) fn decode_desc(b: &mut Body<'_>) -> Decode<QueueDesc> {
    let port = b.port()?;
    let queue = QueueId(b.r.u32()?);
    let len = usize::from(b.r.u16()?);
    b.r.skip(6)?;
    let mut props = b.r.sub(len.checked_sub(16).ok_or(OfpError::OFPBRC_BAD_LEN)?)?;
    let mut q = QueueDesc { port, queue, min_rate: None, max_rate: None };
    while !props.is_empty() {
        let (kind, mut body) = property(&mut props, 8)?;
        match kind {
            MIN_RATE => q.min_rate = rate(body.u16()?),
            MAX_RATE => q.max_rate = rate(body.u16()?),
            _ => {}
        }
    }
    Ok(q)
}

pub(crate) fn encode_desc(e: &mut Encoder, queues: &[QueueDesc]) {
    if e.begin(Kind::QueueDescReply) {
        e.entries(queues, |e, q| {
            let start = e.w.len();
            e.port(q.port);
            e.w.u32(q.queue.0);
            e.w.u16(0);
            e.w.zeros(6);
            for (kind, rate) in [(MIN_RATE, q.min_rate), (MAX_RATE, q.max_rate)] {
                if let Some(rate) = rate {
                    put_property(&mut e.w, kind, 8, |w| {
                        w.u16(rate);
                        w.zeros(2);
                    });
                }
            }
            let len = e.w.len() - start;
            e.w.patch_u16(start + 8, len as u16);
        });
    }
}

pub(crate) fn decode_config_request(b: &mut Body<'_>) -> Decode<Message> {
    let port = b.port()?;
    b.r.skip(if b.is_10() { 2 } else { 4 })?;
    Ok(Message::QueueGetConfigRequest(port))
}

pub(crate) fn encode_config_request(e: &mut Encoder, port: OfPort) {
    if e.begin(Kind::QueueGetConfigRequest) {
        e.port(port);
        e.w.zeros(if e.is_10() { 2 } else { 4 });
    }
}

/// Bytes of a queue's header in a configuration reply.
fn queue_head_len(v: Version) -> usize {
    if v < Version::V1_2 { 8 } else { 16 }
}

pub(crate) fn decode_config_reply(b: &mut Body<'_>) -> Decode<Message> {
    let port = b.port()?;
    b.r.skip(if b.is_10() { 6 } else { 4 })?;
    let mut queues = Vec::new();
    while !b.r.is_empty() {
        queues.push(config_queue(b, port)?);
    }
    Ok(Message::QueueGetConfigReply(port, queues))
}

fn config_queue(b: &mut Body<'_>, port: OfPort) -> Decode<QueueDesc> {
    let head_len = queue_head_len(b.version);
    let queue = QueueId(b.r.u32()?);
    if head_len == 16 {
        b.r.skip(4)?;
    }
    let len = usize::from(b.r.u16()?);
    b.r.skip(if head_len == 16 { 6 } else { 2 })?;
    let mut props: Reader<'_> = b.r.sub(len.checked_sub(head_len).ok_or(OfpError::OFPBRC_BAD_LEN)?)?;
    let mut q = QueueDesc { port, queue, min_rate: None, max_rate: None };
    while !props.is_empty() {
        let (kind, mut body) = property(&mut props, 8)?;
        body.skip(4)?;
        match kind {
            MIN_RATE => q.min_rate = rate(body.u16()?),
            MAX_RATE => q.max_rate = rate(body.u16()?),
            _ => {}
        }
    }
    Ok(q)
}

pub(crate) fn encode_config_reply(e: &mut Encoder, port: OfPort, queues: &[QueueDesc]) {
    if !e.begin(Kind::QueueGetConfigReply) {
        return;
    }
    e.port(port);
    e.w.zeros(if e.is_10() { 6 } else { 4 });
    let wide = queue_head_len(e.version) == 16;
    for q in queues {
        let start = e.w.len();
        e.w.u32(q.queue.0);
        if wide {
            e.w.u32(q.port.0);
        }
        let len_at = e.w.len();
        e.w.u16(0);
        e.w.zeros(if wide { 6 } else { 2 });
        for (kind, rate) in [(MIN_RATE, q.min_rate), (MAX_RATE, q.max_rate)] {
            if let Some(rate) = rate {
                put_property(&mut e.w, kind, 8, |w| {
                    w.zeros(4);
                    w.u16(rate);
                    w.zeros(6);
                });
            }
        }
        let len = e.w.len() - start;
        e.w.patch_u16(len_at, len as u16);
    }
}
