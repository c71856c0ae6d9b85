//! Reading long lists a page at a time.

/// Which page is wanted. `limit` is at least 1; a token comes from the page before and is opaque.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub limit: u32,
    pub token: Option<String>,
}

/// One page, and how to ask for the next.
#[derive(Debug, Clone)]
pub struct Paged<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

impl<T> Paged<T> {
    /// The same page of what `to` makes of each item.
    pub(crate) fn map<U>(self, to: impl FnMut(T) -> U) -> Paged<U> {
        Paged { items: self.items.into_iter().map(to).collect(), next: self.next }
    }
}
