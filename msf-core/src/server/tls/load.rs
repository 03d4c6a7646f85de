//! From files to configurations.

use std::{
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    sync::Arc,
};

use rustls::{
    InconsistentKeys, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{
        NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use webpki::EndEntityCert;

use super::{
    error::TlsError,
    names::{Names, NotAdded},
    settings::{Certificate, Pem, TlsSettings},
    snapshot::{ClientPolicy, Entry, Nobody, Snapshot, common_policy},
};

/// Everything that settings refer to, read but not looked at.
pub(super) struct Texts {
    /// In the order of [`TlsSettings::all`].
    texts: Vec<CertificateTexts>,
    pub(super) digest: u64,
}

struct CertificateTexts {
    chain: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<Vec<u8>>,
}

impl Texts {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let texts = settings.all().map(|certificate| {
            Ok(CertificateTexts {
                chain: read(&certificate.chain)?,
                key: read(&certificate.key)?,
                authorities: match &certificate.clients {
                    Some(clients) => Some(read(&clients.authorities)?),
                    None => None,
                },
            })
        });
        let texts: Vec<_> = texts.collect::<Result<_, TlsError>>()?;
        let mut digest = DefaultHasher::new();
        for text in &texts {
            (&text.chain, &text.key, &text.authorities).hash(&mut digest);
        }
        Ok(Self {
            texts,
            digest: digest.finish(),
        })
    }
}

fn read(pem: &Pem) -> Result<Vec<u8>, TlsError> {
    let path = match pem {
        Pem::Text { pem, .. } => return Ok(pem.as_bytes().to_vec()),
        Pem::File(path) => path,
    };
    let mut text = Vec::new();
    let file = File::open(path);
    let outcome = file.and_then(|file| file.take(FILE_LEN_MAX + 1).read_to_end(&mut text));
    match outcome {
        Ok(_) if text.len() as u64 > FILE_LEN_MAX => Err(TlsError::TooLarge {
            place: pem.to_string(),
            limit: FILE_LEN_MAX,
        }),
        Ok(_) => Ok(text),
        Err(source) => Err(TlsError::Read {
            place: pem.to_string(),
            source: advised(source),
        }),
    }
}

fn advised(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::PermissionDenied {
        let text = "no permission; let the group of this process read it";
        return io::Error::new(error.kind(), text);
    }
    error
}

/// Makes configurations of what was read.
pub(super) fn snapshot(settings: &TlsSettings, texts: &Texts) -> Result<Snapshot, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions = if settings.is_tls13_only {
        TLS13_ONLY
    } else {
        TLS12_AND_13
    };
    let loader = Loader { provider, versions };
    let has_default = settings.default.is_some();
    let mut names = Names::default();
    let mut entries = Vec::with_capacity(texts.texts.len());
    for (place, (certificate, text)) in settings.all().zip(&texts.texts).enumerate() {
        let (entry, contained) = loader.entry(certificate, text)?;
        entries.push(entry);
        let is_default = has_default && place == 0;
        let is_said = is_default || !certificate.names.is_empty();
        let own = if is_said {
            certificate.names.clone()
        } else {
            contained
        };
        let mut is_found = is_default;
        for name in own {
            match names.add(&name, place) {
                Ok(()) => is_found = true,
                Err(NotAdded::Duplicate) => return Err(TlsError::DuplicateName { name }),
                Err(NotAdded::Invalid) if is_said => return Err(TlsError::InvalidName { name }),
                // Whatever an authority has signed besides names that clients can ask for.
                Err(NotAdded::Invalid) => {}
            }
        }
        if !is_found {
            return Err(TlsError::NoNames {
                place: certificate.chain.to_string(),
            });
        }
    }
    if entries.is_empty() {
        return Err(TlsError::NoCertificates);
    }
    Ok(Snapshot {
        names,
        // Without a default there are hosts that are not served at all.
        common_policy: common_policy(&entries).filter(|_| has_default),
        entries,
        has_default,
        refusing: Arc::new(loader.config(None, Arc::new(Nobody))?),
        handshake_timeout: settings.handshake_timeout,
        digest: texts.digest,
    })
}

struct Loader {
    provider: Arc<CryptoProvider>,
    versions: &'static [&'static SupportedProtocolVersion],
}

impl Loader {
    /// The configuration of one certificate, and the names in it.
    fn entry(
        &self,
        certificate: &Certificate,
        texts: &CertificateTexts,
    ) -> Result<(Entry, Vec<String>), TlsError> {
        let chain = certificates(&certificate.chain, &texts.chain)?;
        let contained = match chain.first().map(EndEntityCert::try_from) {
            Some(Ok(own)) => own.valid_dns_names().map(str::to_owned).collect(),
            Some(Err(error)) => return Err(malformed(&certificate.chain, &error)),
            None => Vec::new(),
        };
        let key = match PrivateKeyDer::from_pem_slice(&texts.key) {
            Ok(key) => key,
            Err(pem::Error::NoItemsFound) => {
                return Err(TlsError::NoKey {
                    place: certificate.key.to_string(),
                });
            }
            Err(error) => return Err(malformed_pem(&certificate.key, &error)),
        };
        let certified = CertifiedKey::from_der(chain, key, &self.provider).map_err(|error| {
            if error == rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) {
                TlsError::Mismatch {
                    chain: certificate.chain.to_string(),
                    key: certificate.key.to_string(),
                }
            } else {
                malformed(&certificate.key, &error)
            }
        })?;
        let (verifier, policy) = match (&certificate.clients, &texts.authorities) {
            (Some(clients), Some(text)) => {
                let (verifier, authorities) =
                    self.verifier(&clients.authorities, text, clients.is_required)?;
                let policy = ClientPolicy::Certificate {
                    authorities,
                    is_required: clients.is_required,
                };
                (Some(verifier), policy)
            }
            _ => (None, ClientPolicy::Nothing),
        };
        let resolver = SingleCertAndKey::from(certified);
        let entry = Entry {
            config: Arc::new(self.config(verifier, Arc::new(resolver))?),
            policy,
        };
        Ok((entry, contained))
    }

    /// Who verifies the certificates of clients, and a digest of whom it believes.
    fn verifier(
        &self,
        place: &Pem,
        text: &[u8],
        is_required: bool,
    ) -> Result<(Arc<dyn ClientCertVerifier>, u64), TlsError> {
        let refused = |reason: String| TlsError::Authorities {
            place: place.to_string(),
            reason,
        };
        let mut roots = RootCertStore::empty();
        let mut digest = DefaultHasher::new();
        for authority in certificates(place, text)? {
            authority.as_ref().hash(&mut digest);
            let added = roots.add(authority);
            added.map_err(|error| refused(error.to_string()))?;
        }
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), self.provider.clone());
        if !is_required {
            builder = builder.allow_unauthenticated();
        }
        let verifier = builder.build();
        let verifier = verifier.map_err(|error| refused(error.to_string()))?;
        Ok((verifier, digest.finish()))
    }

    fn config(
        &self,
        clients: Option<Arc<dyn ClientCertVerifier>>,
        certificate: Arc<dyn ResolvesServerCert>,
    ) -> Result<ServerConfig, TlsError> {
        let unusable = |error: rustls::Error| TlsError::Malformed {
            place: "the library of TLS".to_owned(),
            reason: error.to_string(),
        };
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(self.versions)
            .map_err(unusable)?;
        let mut config = match clients {
            // A ticket says who somebody was. Whether that is still so is only known by asking again.
            Some(verifier) => {
                let mut config = builder
                    .with_client_cert_verifier(verifier)
                    .with_cert_resolver(certificate);
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
                config
            }
            // Each configuration has keys of its own, so that no ticket of one host opens another.
            None => {
                let mut config = builder
                    .with_no_client_auth()
                    .with_cert_resolver(certificate);
                config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
                config
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn certificates(place: &Pem, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain.map_err(|error| malformed_pem(place, &error))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            place: place.to_string(),
        });
    }
    Ok(chain)
}

/// What the library says may hold a line of the text, which may be a key.
fn malformed_pem(place: &Pem, error: &pem::Error) -> TlsError {
    let reason = match error {
        pem::Error::MissingSectionEnd { .. } => {
            "a section has no end, as in a file that was cut off"
        }
        pem::Error::IllegalSectionStart { .. } => "a line begins with ----- and no section",
        pem::Error::Base64Decode(_) => "a section is no base64",
        _ => "it is no PEM",
    };
    malformed(place, reason)
}

fn malformed(place: &Pem, reason: &(impl ToString + ?Sized)) -> TlsError {
    TlsError::Malformed {
        place: place.to_string(),
        reason: reason.to_string(),
    }
}

static TLS13_ONLY: &[&SupportedProtocolVersion] = &[&TLS13];
static TLS12_AND_13: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
/// A chain has a few KiB; a bundle of all authorities of the world 250.
const FILE_LEN_MAX: u64 = 1 << 20;
