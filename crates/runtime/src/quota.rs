//! How many values of a kind an account may have at a time.
//!
//! What there is, is counted where it is listed, and a count leaves room for so many more. Whoever is admitted takes a
//! place; only when no place is left is it counted again, for what has ended meanwhile has made room. So one start among
//! a million pays for a count.
//!
//! **Invariant:** nobody is admitted beyond the quota, and one is refused only if the quota was used up while it asked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base::{AccountId, Caller, RegionName, limits};
use bytes::Bytes;
use store::{Direction, Store};
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::keys;
use crate::parameter::Tier;
use crate::value::HeadStatus;

/// Of each account in each region. The defaults are AWS's quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    pub state_machines_max: u64,
    pub activities_max: u64,
    pub open_executions_max: u64,
    pub documents_max: u64,
    pub standard_parameters_max: u64,
    pub advanced_parameters_max: u64,
}

impl Quotas {
    pub const OF_AWS: Quotas = Quotas {
        state_machines_max: limits::STATE_MACHINES_MAX,
        activities_max: limits::ACTIVITIES_MAX,
        open_executions_max: limits::OPEN_EXECUTIONS_MAX,
        documents_max: limits::DOCUMENTS_MAX,
        standard_parameters_max: limits::STANDARD_PARAMETERS_MAX,
        advanced_parameters_max: limits::ADVANCED_PARAMETERS_MAX,
    };
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas::OF_AWS
    }
}

pub(crate) struct Quota {
    max: u64,
    list: fn(&Caller) -> Bytes,
    /// Places since the last count.
    left: Mutex<HashMap<(AccountId, RegionName), u64>>,
    /// Held by whoever was admitted and may not be listed yet; alone, by whoever counts.
    listing: RwLock<()>,
}

/// A place. It has to be kept until what it is for is listed, or will never be.
pub(crate) struct Place<'a> {
    _listing: RwLockReadGuard<'a, ()>,
}

/// Rows counted at a time.
const COUNT_PAGE: u32 = 10_000;

impl Quota {
    pub(crate) fn state_machines(quotas: Quotas) -> Quota {
        Quota::new(quotas.state_machines_max, keys::machines)
    }

    pub(crate) fn activities(quotas: Quotas) -> Quota {
        Quota::new(quotas.activities_max, keys::activities)
    }

    pub(crate) fn open_executions(quotas: Quotas) -> Quota {
        Quota::new(quotas.open_executions_max, |caller| keys::executions(caller, HeadStatus::Running))
    }

    pub(crate) fn documents(quotas: Quotas) -> Quota {
        Quota::new(quotas.documents_max, keys::documents)
    }

    pub(crate) fn standard_parameters(quotas: Quotas) -> Quota {
        Quota::new(quotas.standard_parameters_max, |caller| keys::parameters_of(caller, Tier::Standard))
    }

    pub(crate) fn advanced_parameters(quotas: Quotas) -> Quota {
        Quota::new(quotas.advanced_parameters_max, |caller| keys::parameters_of(caller, Tier::Advanced))
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    fn new(max: u64, list: fn(&Caller) -> Bytes) -> Quota {
        Quota { max, list, left: Mutex::default(), listing: RwLock::default() }
    }

    /// A place for one more; none when there are as many as there may be.
    pub(crate) async fn admit(&self, store: &dyn Store, caller: &Caller) -> Result<Option<Place<'_>>, store::Error> {
        let listing = self.listing.read().await;
        if self.take(caller) {
            return Ok(Some(Place { _listing: listing }));
        }
        drop(listing);
        let alone = self.listing.write().await;
        // Another may have counted while this one waited.
        if !self.take(caller) {
            let count = self.count(store, caller).await?;
            self.lock().insert(key(caller), self.max.saturating_sub(count));
            if !self.take(caller) {
                return Ok(None);
            }
        }
        Ok(Some(Place { _listing: alone.downgrade() }))
    }

    fn take(&self, caller: &Caller) -> bool {
        let mut left = self.lock();
        match left.get_mut(&key(caller)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            Some(_) | None => false,
        }
    }

    async fn count(&self, store: &dyn Store, caller: &Caller) -> Result<u64, store::Error> {
        let (mut count, mut after) = (0, None);
        while count < self.max {
            let page = store.index((self.list)(caller), after, Direction::Forward, COUNT_PAGE).await?;
            count += page.len() as u64;
            if page.len() < COUNT_PAGE as usize {
                break;
            }
            after = page.into_iter().next_back().map(|row| row.at.key);
        }
        Ok(count)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(AccountId, RegionName), u64>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(caller: &Caller) -> (AccountId, RegionName) {
    (caller.account.clone(), caller.region.clone())
}
