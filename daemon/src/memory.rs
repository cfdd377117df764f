//! `memory/show`: how many objects of each kind the daemon holds, in OVS's one-line form.

use std::sync::{Arc, Mutex};

use transport::unixctl::Registry;

type Provider = Box<dyn Fn() -> Vec<(String, u64)> + Send>;

/// Who can count something. Clones share the list.
#[derive(Clone, Default)]
pub struct Memory {
    providers: Arc<Mutex<Vec<Provider>>>,
}

impl Memory {
    /// Adds a provider of `(kind, count)`, such as `("monitors", 3)`. Called at each report.
    pub fn add(&self, provider: impl Fn() -> Vec<(String, u64)> + Send + 'static) {
        self.lock().push(Box::new(provider));
    }

    /// The report: `atoms:14 cells:20 monitors:0`, sorted by kind.
    pub fn show(&self) -> String {
        let mut usage: Vec<(String, u64)> = self.lock().iter().flat_map(|p| p()).collect();
        usage.sort();
        let words: Vec<String> = usage.iter().map(|(name, n)| format!("{name}:{n}")).collect();
        words.join(" ") + "\n"
    }

    /// Adds `memory/show`.
    pub fn register(&self, registry: &Registry) {
        let memory = self.clone();
        registry.add("memory/show", "", 0..=0, move |_| Ok(memory.show()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Provider>> {
        self.providers.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
