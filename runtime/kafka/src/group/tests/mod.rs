//! [`scripted`]: one member against a scripted coordinator, request by request. [`together`]: whole groups on the in-process log.

mod scripted;
mod together;
