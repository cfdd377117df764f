//! `learn(...)` as text.

use std::fmt::Write as _;

use super::parse::{Parser, subfield};
use super::print::{Style, hex};
use super::split::items;
use crate::action::*;
use crate::matching::{Field, FieldValue, Subfield};
use crate::text::number::{parse_u8, parse_u16, parse_u32, parse_u64};
use crate::text::{Parse, bad};
use crate::types::{Cookie, TableId};
use flow::field::ones;

pub(super) fn format(l: &Learn, style: Style<'_>, out: &mut String) {
    let _ = write!(out, "learn(table={}", l.table.0);
    for (name, v) in [
        ("idle_timeout", l.idle_s),
        ("hard_timeout", l.hard_s),
        ("fin_idle_timeout", l.fin_idle_s),
        ("fin_hard_timeout", l.fin_hard_s),
    ] {
        if v != 0 {
            let _ = write!(out, ",{name}={v}");
        }
    }
    if l.priority != 32768 {
        let _ = write!(out, ",priority={}", l.priority);
    }
    out.push_str(if l.send_flow_rem { ",send_flow_rem" } else { "" });
    out.push_str(if l.delete_learned { ",delete_learned" } else { "" });
    if l.cookie.0 != 0 {
        let _ = write!(out, ",cookie={}", hex(l.cookie.0));
    }
    if l.limit != 0 {
        let _ = write!(out, ",limit={}", l.limit);
    }
    if let Some(dst) = l.result_dst {
        let _ = write!(out, ",result_dst={dst}");
    }
    for spec in &l.specs {
        out.push(',');
        format_spec(spec, style, out);
    }
    out.push(')');
}

fn format_spec(spec: &LearnSpec, style: Style<'_>, out: &mut String) {
    let _ = match (&spec.dst, &spec.src) {
        (LearnDst::Match(dst), LearnSrc::Immediate(value)) => {
            if *dst == Subfield::whole(dst.field) {
                let _ = write!(out, "{}=", dst.field.name());
                dst.field.format(*value, dst.field.value_mask(), style.ports, out);
                Ok(())
            } else {
                write!(out, "{dst}={}", hex(*value))
            }
        }
        (LearnDst::Match(dst), LearnSrc::Field(src)) if src == dst => write!(out, "{dst}"),
        (LearnDst::Match(dst), LearnSrc::Field(src)) => write!(out, "{dst}={src}"),
        (LearnDst::Load(dst), LearnSrc::Immediate(value)) => write!(out, "load:{}->{dst}", hex(*value)),
        (LearnDst::Load(dst), LearnSrc::Field(src)) => write!(out, "load:{src}->{dst}"),
        (LearnDst::Output, LearnSrc::Field(src)) => write!(out, "output:{src}"),
        (LearnDst::Output, LearnSrc::Immediate(value)) => write!(out, "output:{}", hex(*value)),
    };
}

pub(super) fn parse(arg: &str, p: &mut Parser<'_>) -> Parse<Action> {
    let mut l = Learn::default();
    for item in items(arg) {
        let v = item.value;
        let n16 = |name: &str| parse_u16(v).ok_or_else(|| bad!("invalid {name} \"{v}\""));
        match item.key {
            "table" => {
                let table = parse_u8(v).ok_or_else(|| bad!("unknown table \"{v}\""))?;
                if table == 255 {
                    return Err(bad!("{arg}: table id 255 not valid for `learn' action"));
                }
                l.table = TableId(table);
            }
            "priority" => l.priority = n16("priority")?,
            "idle_timeout" => l.idle_s = n16("idle_timeout")?,
            "hard_timeout" => l.hard_s = n16("hard_timeout")?,
            "fin_idle_timeout" => l.fin_idle_s = n16("fin_idle_timeout")?,
            "fin_hard_timeout" => l.fin_hard_s = n16("fin_hard_timeout")?,
            "cookie" => l.cookie = Cookie(parse_u64(v).ok_or_else(|| bad!("{v}: invalid cookie"))?),
            "send_flow_rem" => l.send_flow_rem = true,
            "delete_learned" => l.delete_learned = true,
            "limit" => l.limit = parse_u32(v).ok_or_else(|| bad!("invalid limit \"{v}\""))?,
            "result_dst" => {
                let dst = subfield(v)?;
                if !dst.field.is_writable() {
                    return Err(bad!("{} is read-only", dst.field.name()));
                }
                if dst.n_bits != 1 {
                    return Err(bad!("result_dst in 'learn' action must be a single bit"));
                }
                l.result_dst = Some(dst);
            }
            _ => l.specs.push(spec(item.key, item.value, item.whole, arg, p)?),
        }
    }
    Ok(Action::Learn(Box::new(l)))
}

fn spec(key: &str, value: &str, whole: &str, orig: &str, p: &mut Parser<'_>) -> Parse<LearnSpec> {
    match key {
        "load" => {
            let (src, dst) = value
                .split_once("->")
                .ok_or_else(|| bad!("{value}: missing `->' in `load' specification"))?;
            let dst = subfield(dst)?;
            if src.starts_with("0x") || src.starts_with(|c: char| c.is_ascii_digit()) {
                let v = src.parse::<FieldValue>().ok().or_else(|| parse_hex(src));
                let v = v.ok_or_else(|| bad!("{src}: cannot parse integer value"))?;
                if v & !ones(dst.n_bits) != 0 {
                    return Err(bad!("{orig}: {v:#x} does not fit in {} bits", dst.n_bits));
                }
                return Ok(make(dst.n_bits, LearnSrc::Immediate(v), LearnDst::Load(dst)));
            }
            let src = subfield(src)?;
            same_width(src, dst, orig)?;
            Ok(make(dst.n_bits, LearnSrc::Field(src), LearnDst::Load(dst)))
        }
        "output" => {
            let src = subfield(value)?;
            Ok(make(src.n_bits, LearnSrc::Field(src), LearnDst::Output))
        }
        name => matched(name, value, whole, orig, p),
    }
}

fn matched(name: &str, value: &str, whole: &str, orig: &str, p: &mut Parser<'_>) -> Parse<LearnSpec> {
    if let Some(field) = Field::from_name(name).filter(|_| !name.contains('[')) {
        let dst = Subfield::whole(field);
        if value.is_empty() {
            return Ok(make(dst.n_bits, LearnSrc::Field(dst), LearnDst::Match(dst)));
        }
        if let Ok((v, mask)) = field.parse(value, p.ports) {
            if mask & field.value_mask() != field.value_mask() {
                return Err(bad!("{value}: imprecise value in learn match"));
            }
            return Ok(make(dst.n_bits, LearnSrc::Immediate(v), LearnDst::Match(dst)));
        }
        let src = subfield(value)?;
        same_width(src, dst, orig)?;
        return Ok(make(dst.n_bits, LearnSrc::Field(src), LearnDst::Match(dst)));
    }
    let Ok(dst) = subfield(name) else { return Err(bad!("{orig}: unknown keyword {}", key_of(whole))) };
    if value.is_empty() {
        return Ok(make(dst.n_bits, LearnSrc::Field(dst), LearnDst::Match(dst)));
    }
    if let Some(v) = parse_u64(value).map(FieldValue::from).or_else(|| parse_hex(value)) {
        if v & !ones(dst.n_bits) != 0 {
            return Err(bad!("{orig}: value does not fit in {} bits", dst.n_bits));
        }
        return Ok(make(dst.n_bits, LearnSrc::Immediate(v), LearnDst::Match(dst)));
    }
    let src = subfield(value)?;
    same_width(src, dst, orig)?;
    Ok(make(dst.n_bits, LearnSrc::Field(src), LearnDst::Match(dst)))
}

fn key_of(whole: &str) -> &str {
    whole.split(['=', ':', '(']).next().unwrap_or(whole)
}

fn parse_hex(s: &str) -> Option<FieldValue> {
    FieldValue::from_str_radix(s.strip_prefix("0x")?, 16).ok()
}

fn make(n_bits: u32, src: LearnSrc, dst: LearnDst) -> LearnSpec {
    LearnSpec { n_bits: n_bits as u16, src, dst }
}

fn same_width(src: Subfield, dst: Subfield, orig: &str) -> Parse<()> {
    if src.n_bits == dst.n_bits {
        return Ok(());
    }
    Err(bad!("{orig}: bit widths of {src} ({}) and {dst} ({}) differ", src.n_bits, dst.n_bits))
}
