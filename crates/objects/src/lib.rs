//! Objects in S3 or in folders: the items and the results of Maps in distributed mode, and what tasks read and write.
//!
//! **It does not know** what a state or an execution is, nor where either is stored: evaluated JSON comes in, items
//! go out; finished children come in, files are written.
//!
//! **Invariant:** memory does not grow with what is read or written. At any time there is one item, one chunk of an
//! object, one page of a listing, or one part of each file that is written.
//!
//! In reading order: [`source`] (what to read, as a value), [`pointer`], [`reader`] (its items), `format` and
//! `compression` (from bytes to items), [`batch`] (items go together), [`writer`] (what became of them), [`store`] (the
//! door to objects), `folder` and [`s3`] (what is behind it), [`failure`].
//!
//! ```no_run
//! # use objects::{Buckets, ItemReader, Reader, Source, source::Call};
//! # async fn example(arguments: base::Json, config: base::Json) -> Result<(), Box<dyn std::error::Error>> {
//! let buckets = Buckets::none().with_folder("night", "/srv/night".as_ref())?;
//! let fields = ItemReader { call: Call::GetObject, arguments: &arguments, config: &config, items_max: None };
//! let mut reader = Reader::open(&buckets, &Source::of(&fields)?).await?;
//! while let Some(item) = reader.next().await? {
//!     println!("{}: {}", item.index, item.value);
//! }
//! # Ok(())
//! # }
//! ```

pub mod source;
pub mod pointer;
pub mod reader;
mod format;
mod compression;
pub mod batch;
pub mod writer;
pub mod store;
mod folder;
pub mod s3;
pub mod failure;

pub use batch::{Batcher, Batching};
pub use failure::{Failure, FailureName, StoreError};
pub use format::ITEM_BYTES_MAX;
pub use pointer::Pointer;
pub use reader::{Cursor, Item, Reader};
pub use s3::Endpoint;
pub use source::{ItemReader, Source};
pub use store::{Body, Bucket, Buckets, Headers, Page, PageAsk, PageFrom};
pub use writer::{Child, ResultWriter, Target};

#[cfg(test)]
mod testing;
