//! How brokers are spoken to: TLS, SASL, and secrets that change while the process runs.
//!
//! Properties by Java's names become settings ([`settings`]); what they name is read into [`Credentials`]; and both clients are
//! made of these: ours takes the OpenSSL connector and holds the SASL conversation itself, librdkafka is handed the same
//! certificates as PEM text, the same user and password, and the tokens of the same provider. Files are looked at again and
//! again: once they have changed, and fit together, there are new credentials, with a higher epoch.

mod certificates;
mod files;
mod http;
mod jaas;
mod load;
mod native;
mod sasl;
mod secret;
mod settings;
mod token;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Mutex, RwLock};

pub(crate) use certificates::Tls;
pub(crate) use load::Credentials;
pub(crate) use sasl::{Exchange, Sasl};
pub(crate) use secret::Secret;
pub(crate) use settings::NAMES;
pub(crate) use token::Token;

use crate::{Error, ErrorKind, Result};
use settings::SecuritySettings;

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an application that runs tries on with credentials that are refused. A Secret that was changed reaches its files
/// within about a minute; until then the broker may know the new password and this process only the old one.
const PATIENCE: Duration = Duration::from_secs(120);
/// Refusals further apart than this are of different troubles.
const APART: Duration = Duration::from_secs(60);

/// The credentials of a process, as they are now.
pub(crate) struct Security {
    settings: SecuritySettings,
    current: RwLock<Arc<Credentials>>,
    epoch: AtomicU64,
    looked: Mutex<Looked>,
    /// Whether a broker has ever accepted us.
    accepted: AtomicBool,
    /// The first and the last refusal of a row of them.
    refusals: Mutex<Option<(Instant, Instant)>>,
}

struct Looked {
    at: Instant,
    stamps: Vec<Option<(SystemTime, u64, u64)>>,
    /// What was wrong with the files when they were looked at last, so that it is said once.
    complaint: Option<String>,
}

impl Security {
    /// Reads settings and files.
    ///
    /// # Errors
    /// `Config` for settings and files that cannot be; `Handshake` for a certificate of ours that has expired.
    pub(crate) fn new(properties: &[(String, String)]) -> Result<Self> {
        let settings = settings::read(properties)?;
        let credentials = load::load(&settings, 0)?;
        let looked = Looked {
            at: Instant::now(),
            stamps: files::stamps(&credentials.files),
            complaint: None,
        };
        Ok(Self {
            settings,
            current: RwLock::new(Arc::new(credentials)),
            epoch: AtomicU64::new(0),
            looked: Mutex::new(looked),
            accepted: AtomicBool::new(false),
            refusals: Mutex::new(None),
        })
    }

    /// Whether these properties say the same as those that this was made of.
    pub(crate) fn is_of(&self, properties: &[(String, String)]) -> Result<bool> {
        Ok(settings::read(properties)? == self.settings)
    }

    /// What connections are to be made with now.
    pub(crate) fn current(&self) -> Arc<Credentials> {
        self.look();
        Arc::clone(&self.current.read())
    }

    /// Counts the changes of the credentials; who was made under a lower number is to be made anew.
    pub(crate) fn epoch(&self) -> u64 {
        self.look();
        self.epoch.load(Ordering::Acquire)
    }

    /// A broker has accepted us.
    pub(crate) fn accepted(&self) {
        self.accepted.store(true, Ordering::Relaxed);
        *self.refusals.lock() = None;
    }

    /// What a refusal means: an application that ran before tries on for a while, as its secrets may be about to change.
    pub(crate) fn judge(&self, error: Error) -> Error {
        let is_refusal = matches!(error.kind(), ErrorKind::Authentication | ErrorKind::Handshake);
        if !is_refusal || !self.accepted.load(Ordering::Relaxed) {
            return error;
        }
        let now = Instant::now();
        let mut refusals = self.refusals.lock();
        let first = match *refusals {
            Some((first, last)) if now.duration_since(last) < APART => first,
            _ => {
                tracing::warn!(%error, "refused now and accepted before: trying on for {} s, in case a secret is being changed", PATIENCE.as_secs());
                now
            }
        };
        *refusals = Some((first, now));
        if now.duration_since(first) < PATIENCE {
            Error::new(ErrorKind::Retriable, error.to_string())
        } else {
            error
        }
    }

    /// Looks whether files have changed, at most once in a while, and by one thread at a time.
    fn look(&self) {
        if self.current.read().files.is_empty() {
            return;
        }
        let Some(mut looked) = self.looked.try_lock() else {
            return;
        };
        if looked.at.elapsed() < LOOK_EVERY {
            return;
        }
        looked.at = Instant::now();
        let files = self.current.read().files.clone();
        let stamps = files::stamps(&files);
        if stamps == looked.stamps && looked.complaint.is_none() {
            return;
        }
        match load::load(&self.settings, self.epoch.load(Ordering::Acquire) + 1) {
            Ok(fresh) => {
                looked.stamps = stamps;
                looked.complaint = None;
                if fresh.digest == self.current.read().digest {
                    return;
                }
                let epoch = fresh.epoch;
                *self.current.write() = Arc::new(fresh);
                self.epoch.store(epoch, Ordering::Release);
                tracing::info!(target: "millrace::event", event = "credentials-changed", epoch, "credentials have changed on disk: new connections are made with the new ones");
            }
            // Files are replaced one after the other: what does not fit together now may do so in a moment.
            Err(error) => {
                let text = error.to_string();
                if looked.complaint.as_ref() != Some(&text) {
                    tracing::warn!(%error, "changed credentials cannot be used; the ones before stay in force");
                    looked.complaint = Some(text);
                }
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn look_now(&self) {
        if let Some(past) = Instant::now().checked_sub(LOOK_EVERY * 2) {
            self.looked.lock().at = past;
        }
        self.look();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(password_file: &std::path::Path) -> Security {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Security::new(&[
            pair("security.protocol", "SASL_PLAINTEXT"),
            pair("sasl.mechanism", "PLAIN"),
            pair("sasl.username", "app"),
            pair("millrace.sasl.password.file", password_file.to_str().unwrap()),
        ])
        .unwrap()
    }

    fn password(security: &Security) -> String {
        match &security.current().sasl {
            Some(Sasl::Plain { password, .. }) => password.expose().to_owned(),
            _ => panic!("no password"),
        }
    }

    #[test]
    fn a_changed_file_makes_new_credentials_and_a_broken_one_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "one\n").unwrap();
        let security = security(&file);
        assert_eq!((password(&security), security.epoch()), ("one".to_owned(), 0));

        // As Kubernetes does it: another file takes the place of the first.
        let next = dir.path().join("next");
        std::fs::write(&next, "two").unwrap();
        std::fs::rename(&next, &file).unwrap();
        security.look_now();
        assert_eq!((password(&security), security.epoch()), ("two".to_owned(), 1));

        std::fs::remove_file(&file).unwrap();
        security.look_now();
        assert_eq!((password(&security), security.epoch()), ("two".to_owned(), 1));

        // Back again with the same text: nothing is to be made anew.
        std::fs::write(&file, "two").unwrap();
        security.look_now();
        assert_eq!((password(&security), security.epoch()), ("two".to_owned(), 1));
        std::fs::write(&file, "three").unwrap();
        security.look_now();
        assert_eq!((password(&security), security.epoch()), ("three".to_owned(), 2));
    }

    #[test]
    fn a_refusal_ends_a_start_and_not_at_once_what_ran() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "one").unwrap();
        let security = security(&file);
        let refusal = |kind| Error::new(kind, "no");
        for kind in [ErrorKind::Authentication, ErrorKind::Handshake, ErrorKind::Fatal] {
            assert_eq!(security.judge(refusal(kind)).kind(), kind);
        }
        security.accepted();
        assert_eq!(
            security.judge(refusal(ErrorKind::Authentication)).kind(),
            ErrorKind::Retriable
        );
        assert_eq!(security.judge(refusal(ErrorKind::Fatal)).kind(), ErrorKind::Fatal);
        let long_ago = Instant::now().checked_sub(PATIENCE).unwrap();
        *security.refusals.lock() = Some((long_ago, Instant::now()));
        assert_eq!(
            security.judge(refusal(ErrorKind::Authentication)).kind(),
            ErrorKind::Authentication
        );
    }
}
