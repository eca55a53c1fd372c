//! Tokens for OAUTHBEARER, handed to librdkafka when it asks for one.

use std::ffi::{CStr, c_char, c_void};
use std::time::Duration;

use rdkafka_sys::bindings as native;

use super::client::c_string;
use super::context::Context;
use super::errors::NativeError;
use crate::real::security::{Sasl, Token};
use crate::{Error, ErrorKind, Result};

/// How long a token may be waited for, on a thread of librdkafka's that has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes librdkafka ask for tokens, on a thread of its own.
///
/// # Safety
/// The configuration is alive, and its opaque value is a [`Context`] that outlives the client.
pub(super) unsafe fn answer_by_callback(config: *mut native::rd_kafka_conf_t) {
    // SAFETY: as the caller says.
    unsafe {
        native::rd_kafka_conf_enable_sasl_queue(config, 1);
        native::rd_kafka_conf_set_oauthbearer_token_refresh_cb(config, Some(on_token_wanted));
    }
}

/// Serves the callback in the background, since calls such as `init_transactions` wait without serving any.
///
/// # Safety
/// The client is alive and was made with [`answer_by_callback`].
pub(super) unsafe fn serve_in_background(client: *mut native::rd_kafka_t) -> Result<()> {
    // SAFETY: as the caller says.
    let error = NativeError::take(unsafe { native::rd_kafka_sasl_background_callbacks_enable(client) });
    error.map_or(Ok(()), |error| Err(error.into_error("tokens for OAUTHBEARER")))
}

unsafe extern "C" fn on_token_wanted(client: *mut native::rd_kafka_t, _: *const c_char, opaque: *mut c_void) {
    // SAFETY: `opaque` is the context that the client was made with, which outlives it.
    let context = unsafe { &*opaque.cast_const().cast::<Context>() };
    let given = wanted(context).and_then(|token| give(client, &token));
    if let Err(error) = given {
        tracing::warn!(%error, "no token for OAUTHBEARER");
        let text = c_string(&error.to_string()).unwrap_or_default();
        // SAFETY: the client is alive (it calls us), and copies the text. It asks again in 10 s.
        unsafe { native::rd_kafka_oauthbearer_set_token_failure(client, text.as_ptr()) };
    }
}

fn wanted(context: &Context) -> Result<Token> {
    let security = context
        .security()
        .ok_or_else(|| Error::new(ErrorKind::Fatal, "no token provider is set up"))?;
    match &security.current().sasl {
        Some(Sasl::OAuthBearer(provider)) => provider.token(PATIENCE),
        _ => Err(Error::new(ErrorKind::Fatal, "no token provider is set up")),
    }
}

fn give(client: *mut native::rd_kafka_t, token: &Token) -> Result<()> {
    let (value, principal) = (c_string(token.value.expose()), c_string(&token.principal));
    // The usual error would show what has the NUL in it.
    let unfit = |_| Error::new(ErrorKind::Authentication, "the token has a NUL in it");
    let (value, principal) = (value.map_err(unfit)?, principal.map_err(unfit)?);
    let mut text: [c_char; 512] = [0; 512];
    // SAFETY: the client is alive (it calls us); the strings live for this call, there are no extensions, and the buffer is as long
    // as we say.
    let code = unsafe {
        native::rd_kafka_oauthbearer_set_token(
            client,
            value.as_ptr(),
            token.expires_ms,
            principal.as_ptr(),
            std::ptr::null_mut(),
            0,
            text.as_mut_ptr(),
            text.len(),
        )
    };
    if code == native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    // SAFETY: librdkafka wrote a NUL-terminated text.
    let text = unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned();
    Err(Error::new(ErrorKind::Authentication, text))
}
