//! The tracing subscriber: event -> module, level, text -> rate limit -> sinks. Spans are ignored.

use std::fmt::Write as _;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, span};

use super::limit::{self, Verdict};
use super::modules::{self, Level, Module};
use super::sink;

pub(super) struct Subscriber;

fn level_of(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing::Level::ERROR => Level::Err,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG | tracing::Level::TRACE => Level::Dbg,
    }
}

fn admits(module: &Module, level: Level) -> bool {
    module.levels.iter().any(|max| level <= *max)
}

impl tracing::Subscriber for Subscriber {
    /// Computed once per line of code and again after each change of levels.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() {
            return false;
        }
        let module = modules::lookup(modules::of_target(metadata.target()));
        // An ERROR event may turn out to be EMER.
        let level = level_of(metadata);
        admits(&module, if level == Level::Err { Level::Emer } else { level })
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match modules::max_level() {
            Level::Off => LevelFilter::OFF,
            Level::Emer | Level::Err => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Dbg => LevelFilter::TRACE,
        })
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let name = modules::of_target(metadata.target());
        let module = modules::lookup(name);
        let mut text = Text::default();
        event.record(&mut text);
        let level = if text.emer { Level::Emer } else { level_of(metadata) };
        if !admits(&module, level) {
            return;
        }
        if let (Some(rate), true) = (text.rl, module.rate_limited) {
            match limit::check(metadata.callsite(), rate) {
                Verdict::Pass => {}
                Verdict::Drop => return,
                Verdict::PassAfter(note) => sink::write(name, level, module.levels, &note),
            }
        }
        sink::write(name, level, module.levels, &text.message);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The message, with other fields as ` name=value` behind it.
#[derive(Default)]
struct Text {
    message: String,
    rl: Option<u64>,
    emer: bool,
}

impl Visit for Text {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "rl" => self.rl = Some(value),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.record_u64(field, value),
            Err(_) => self.record_debug(field, &value),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "emer" => self.emer = value,
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.message, " {name}={value:?}"),
        };
    }
}
