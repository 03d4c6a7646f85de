//! What a backend says that instances cannot register with.

/// Makes a whole registry of a backend that is only read: registering fails at once and for good.
macro_rules! impl_read_only {
    ($backend:ty, $name:literal) => {
        #[async_trait::async_trait]
        impl $crate::backend::Registrar for $backend {
            async fn put(
                &self,
                _instance: &$crate::model::Instance,
                _ttl: std::time::Duration,
            ) -> Result<$crate::model::Lease, $crate::error::RegistryError> {
                Err($crate::error::RegistryError::ReadOnly { backend: $name })
            }

            async fn renew(
                &self,
                _lease: &$crate::model::Lease,
            ) -> Result<$crate::model::Renewal, $crate::error::RegistryError> {
                Ok($crate::model::Renewal::Gone)
            }

            async fn remove(
                &self,
                _lease: &$crate::model::Lease,
            ) -> Result<(), $crate::error::RegistryError> {
                Ok(())
            }
        }
    };
}

pub(super) use impl_read_only;
