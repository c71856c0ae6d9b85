//! Publishes what becomes of commands to Amazon SNS, or to any server that speaks as it does.
//!
//! **It does not know** when something is published, how often that is tried, or whose command it is: `runtime` owes a
//! notice until it is told that it was published.
//!
//! **Invariant:** a secret key is in no text that anybody prints.
//!
//! In reading order: [`message`] (what is published), [`client`] (how).

pub mod message;
pub mod client;

pub use client::{EndpointError, Keys, Sns, Topics};

use runtime::announce::{Announced, Announcer, Announcing, Notice};

impl Announcer for Sns {
    fn announce<'a>(&'a self, notice: &'a Notice) -> Announcing<'a> {
        Box::pin(async move {
            match &notice.send.notification {
                Some(notification) => self.publish(&notification.arn, &message::of(notice)).await,
                None => Announced::Refused("the command names no topic".to_owned()),
            }
        })
    }
}
