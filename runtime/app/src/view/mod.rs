//! What `millrace dev` shows.

mod observe;
mod render;
mod screen;

pub use observe::Observer;
pub use render::{json, line, summary};
pub use screen::Screen;
