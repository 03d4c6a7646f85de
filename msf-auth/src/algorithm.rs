//! The signature algorithms that are taken.

use std::fmt;

macro_rules! algorithms {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal $(| $other:literal)?;)+) => {
        /// A signature algorithm of JWS (RFC 7518 section 3.1, RFC 8037 section 3.1).
        ///
        /// There is no value for `none`, so no configuration can allow it, and each key is for one of these and no
        /// other. What to choose is in the [documentation of keys](crate::keys#which-algorithm).
        ///
        /// ```
        /// use msf_auth::Algorithm;
        ///
        /// assert_eq!(Algorithm::from_name("PS256"), Some(Algorithm::Ps256));
        /// assert_eq!(Algorithm::from_name("Ed25519"), Some(Algorithm::EdDsa));
        /// assert_eq!(Algorithm::from_name("none"), None);
        /// assert_eq!(Algorithm::from_name("es256"), None);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Algorithm {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Algorithm {
            /// Every algorithm.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in the `alg` member.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The algorithm of an `alg` member; names are case-sensitive.
            ///
            /// `Ed25519` is the name that RFC 9864 gives to the one curve which is taken under `EdDSA` here.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name $(| $other)? => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

algorithms! {
    /// ECDSA on P-256 with SHA-256.
    Es256 = "ES256";
    /// ECDSA on P-384 with SHA-384.
    Es384 = "ES384";
    /// ECDSA on P-521 with SHA-512.
    Es512 = "ES512";
    /// Ed25519.
    EdDsa = "EdDSA" | "Ed25519";
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256 = "RS256";
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384 = "RS384";
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512 = "RS512";
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes.
    Ps256 = "PS256";
    /// RSASSA-PSS with SHA-384 and a salt of 48 bytes.
    Ps384 = "PS384";
    /// RSASSA-PSS with SHA-512 and a salt of 64 bytes.
    Ps512 = "PS512";
    /// HMAC with SHA-256; for one trust domain only, since who can verify can also sign.
    Hs256 = "HS256";
    /// HMAC with SHA-384; as [`Hs256`](Self::Hs256).
    Hs384 = "HS384";
    /// HMAC with SHA-512; as [`Hs256`](Self::Hs256).
    Hs512 = "HS512";
}

impl Algorithm {
    /// Whether its keys are RSA keys, which are the only ones that several algorithms could use.
    #[must_use]
    pub const fn is_rsa(self) -> bool {
        matches!(
            self,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512
        )
    }

    /// Whether its keys are shared secrets.
    #[must_use]
    pub const fn is_hmac(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_that_is_read_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.as_str()), Some(*algorithm));
            let lower = algorithm.as_str().to_lowercase();
            assert_eq!(Algorithm::from_name(&lower), None, "{lower}");
        }
        for name in [
            "", "none", "None", "HS1", "RS1", "ES256K", "Ed448", "ES256 ",
        ] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }
}
