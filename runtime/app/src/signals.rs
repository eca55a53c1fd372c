//! SIGTERM and SIGINT: the first asks for a clean end, a second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

/// Whether a signal has asked for the end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether it was asked.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Begins to listen. A second signal ends the process with 128 + its number, as shells show it.
#[must_use]
pub fn install() -> Stop {
    let stop = Stop::default();
    for signal in [SIGTERM, SIGINT] {
        // In this order: the first signal finds the flag unset, sets it, and leaves the process alone.
        let flags = signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop.0))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop.0)));
        if let Err(error) = flags {
            tracing::warn!(%error, signal, "this signal cannot be listened to");
        }
    }
    stop
}
