//! The tree that a translation leaves behind when asked to, and its text as `ofproto/trace` prints it.

use std::fmt::Write as _;

/// What a node tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TraceKind {
    Bridge,
    Table,
    Thaw,
    Action,
    Bucket,
    Detail,
    Warn,
    Error,
}

impl TraceKind {
    /// Kinds that are indented under what contains them; the others begin a level of their own.
    fn is_terminal(self) -> bool {
        !matches!(self, Self::Bridge | Self::Table | Self::Thaw)
    }
}

#[derive(Clone, Debug)]
struct Node {
    kind: TraceKind,
    text: String,
    children: Vec<usize>,
}

/// A place in the tree: children are added there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place(usize);

#[derive(Clone, Debug)]
pub struct Trace {
    nodes: Vec<Node>,
    at: Place,
}

/// Nodes of a trace at most; a translation of 4096 resubmits stays below.
const NODES_MAX: usize = 200_000;

impl Default for Trace {
    fn default() -> Self {
        let root = Node { kind: TraceKind::Bridge, text: String::new(), children: Vec::new() };
        Self { nodes: vec![root], at: Place(0) }
    }
}

impl Trace {
    /// Adds a node where the trace is; returns the place inside it.
    pub fn add(&mut self, kind: TraceKind, text: String) -> Place {
        if self.nodes.len() >= NODES_MAX {
            return self.at;
        }
        let id = self.nodes.len();
        self.nodes.push(Node { kind, text, children: Vec::new() });
        self.nodes[self.at.0].children.push(id);
        Place(id)
    }

    /// Goes to `place`; returns where the trace was.
    pub fn go(&mut self, place: Place) -> Place {
        std::mem::replace(&mut self.at, place)
    }

    /// The tree as text, without the head and the tail of a trace.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.print(&self.nodes[0].children, 0, &mut out);
        out
    }

    fn print(&self, nodes: &[usize], level: usize, out: &mut String) {
        for (n, &id) in nodes.iter().enumerate() {
            let node = &self.nodes[id];
            let indent = level + usize::from(n + 1 < nodes.len() || node.kind.is_terminal());
            if node.kind == TraceKind::Bridge {
                out.push('\n');
            }
            let pad = " ".repeat(indent * 4);
            let _ = match node.kind {
                TraceKind::Detail => writeln!(out, "{pad} -> {}", node.text),
                TraceKind::Warn => writeln!(out, "{pad} >> {}", node.text),
                TraceKind::Error => writeln!(out, "{pad} >>>> {} <<<<", node.text),
                TraceKind::Bridge => {
                    writeln!(out, "{pad}{}\n{pad}{}", node.text, "-".repeat(node.text.len()))
                }
                _ => writeln!(out, "{pad}{}", node.text),
            };
            self.print(&node.children, indent + (indent - level), out);
        }
    }
}
