//! `ItemBatcher`: several items for each child execution (Developer Guide, "ItemBatcher (Map)").

use base::Json;

use crate::failure::{Failure, FailureName};

/// The bytes that the input of an execution may have.
pub const BYTES_MAX: usize = 262_144;

/// How items go together. What is not given does not limit; no batch is larger than [`BYTES_MAX`].
#[derive(Debug, Clone, Default)]
pub struct Batching {
    /// `MaxItemsPerBatch`
    pub items_max: Option<u64>,
    /// `MaxInputBytesPerBatch`
    pub bytes_max: Option<u64>,
    /// `BatchInput`: what each batch has beside its items. Counts.
    pub input: Option<Json>,
}

/// Takes items one by one, and gives a batch whenever one is full.
#[derive(Debug)]
pub struct Batcher {
    batching: Batching,
    /// The bytes of a batch without items.
    frame: usize,
    items: Vec<Json>,
    /// The bytes of the batch that is being filled.
    bytes: usize,
}

impl Batcher {
    pub fn new(batching: Batching) -> Batcher {
        let frame = whole(&batching.input, vec![]).text_len();
        Batcher { bytes: frame, frame, batching, items: vec![] }
    }

    /// Adds `item`; gives the batch before it when the item does not fit in, or the one with it when it is full.
    /// With both limits the bytes win: a batch has fewer items rather than too many bytes.
    ///
    /// An item that fits into no batch fails the Map: it could be given to nobody.
    pub fn push(&mut self, item: Json) -> Result<Option<Json>, Failure> {
        let size = item.text_len();
        if self.frame + size > self.bytes_max() {
            return Err(self.too_large(size));
        }
        let comma = usize::from(!self.items.is_empty());
        let full = (self.bytes + comma + size > self.bytes_max()).then(|| self.take());
        self.bytes += size + usize::from(!self.items.is_empty());
        self.items.push(item);
        Ok(full.or_else(|| self.is_full().then(|| self.take())))
    }

    /// The items that are left, if any.
    pub fn finish(mut self) -> Option<Json> {
        (!self.items.is_empty()).then(|| self.take())
    }

    fn bytes_max(&self) -> usize {
        let given = self.batching.bytes_max.and_then(|bytes| usize::try_from(bytes).ok());
        given.filter(|bytes| *bytes > 0).map_or(BYTES_MAX, |bytes| bytes.min(BYTES_MAX))
    }

    fn is_full(&self) -> bool {
        self.batching.items_max.is_some_and(|items| items > 0 && self.items.len() as u64 >= items)
    }

    fn take(&mut self) -> Json {
        self.bytes = self.frame;
        whole(&self.batching.input, std::mem::take(&mut self.items))
    }

    fn too_large(&self, size: usize) -> Failure {
        let cause = format!(
            "An item of {size} bytes does not fit into a batch: with its BatchInput a batch has at most {} bytes",
            self.bytes_max()
        );
        Failure { error: FailureName::DataLimitExceeded, cause }
    }
}

/// Returns the batches that `items` make.
pub fn batches(items: impl IntoIterator<Item = Json>, batching: Batching) -> Result<Vec<Json>, Failure> {
    let mut batcher = Batcher::new(batching);
    let mut batches = vec![];
    for item in items {
        batches.extend(batcher.push(item)?);
    }
    batches.extend(batcher.finish());
    Ok(batches)
}

/// `{"BatchInput":…,"Items":[…]}`
fn whole(input: &Option<Json>, items: Vec<Json>) -> Json {
    let input = input.clone().map(|input| ("BatchInput", input));
    Json::object(input.into_iter().chain([("Items", Json::array(items))]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(items: &str, batching: &str, expected: Expect) {
        let items = Json::parse(items).expect("JSON");
        let given = Json::parse(batching).expect("JSON");
        let number = |name| given.get(name).and_then(Json::as_i64).map(|number| number as u64);
        let batching =
            Batching { items_max: number("items"), bytes_max: number("bytes"), input: given.get("input").cloned() };
        let text = match batches(items.as_array().expect("an array").to_vec(), batching) {
            Ok(batches) => batches.iter().map(|batch| format!("{batch}\n")).collect(),
            Err(failure) => failure.to_string(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn items_by_number() {
        check(
            "[1,2,3,4,5]",
            r#"{"items":2,"input":{"a":1}}"#,
            expect![[r#"
                {"BatchInput":{"a":1},"Items":[1,2]}
                {"BatchInput":{"a":1},"Items":[3,4]}
                {"BatchInput":{"a":1},"Items":[5]}
            "#]],
        );
        check("[]", r#"{"items":2}"#, expect![""]);
    }

    /// `{"Items":[10,20]}` has 17 bytes.
    #[test]
    fn items_by_bytes() {
        check(
            "[10,20,30,40,50]",
            r#"{"bytes":17}"#,
            expect![[r#"
                {"Items":[10,20]}
                {"Items":[30,40]}
                {"Items":[50]}
            "#]],
        );
        check(
            "[10,20,30]",
            r#"{"bytes":16}"#,
            expect![[r#"
                {"Items":[10]}
                {"Items":[20]}
                {"Items":[30]}
            "#]],
        );
    }

    #[test]
    fn bytes_win_over_the_number_of_items() {
        check(
            r#"[1,2,"long long",4]"#,
            r#"{"items":3,"bytes":26}"#,
            expect![[r#"
                {"Items":[1,2]}
                {"Items":["long long",4]}
            "#]],
        );
    }

    #[test]
    fn an_item_that_fits_nowhere_fails() {
        check(
            r#"[1,"longer than that"]"#,
            r#"{"bytes":20}"#,
            expect![
                "States.DataLimitExceeded: An item of 18 bytes does not fit into a batch: with its BatchInput a batch has at most 20 bytes"
            ],
        );
    }
}
