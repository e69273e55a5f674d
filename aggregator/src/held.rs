//! Something that is read: lent where it lies open, else made for whoever asks.

use std::ops::Deref;
use std::sync::Arc;

/// A value to read. It is used like a reference.
#[derive(Debug, Clone)]
pub enum Held<'a, T> {
    /// It lies open.
    Lent(&'a T),
    /// It was unpacked.
    Made(T),
    /// Others have it too.
    Shared(Arc<T>),
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Lent(value) => value,
            Self::Made(value) => value,
            Self::Shared(value) => value,
        }
    }
}

impl<T> AsRef<T> for Held<'_, T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: Clone> Held<'_, T> {
    /// The value itself.
    #[must_use]
    pub fn into_owned(self) -> T {
        match self {
            Self::Lent(value) => value.clone(),
            Self::Made(value) => value,
            Self::Shared(value) => Arc::unwrap_or_clone(value),
        }
    }
}

impl<T: PartialEq> PartialEq for Held<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
