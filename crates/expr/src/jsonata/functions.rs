//! The functions: the language's own, and those that AWS adds.
//!
//! In reading order: `numbers`, `texts`, `lists` (arrays and objects), `higher` (functions of functions), `pictures`
//! (numbers by picture), `integers` and `dates` (the same for whole numbers and moments), `aws`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use super::budget::Budget;
use super::error::Outcome;
use super::eval::Run;
use super::signature::Signature;
use super::value::{Array, Text, Value};

mod numbers;
mod texts;
mod lists;
mod higher;
mod pictures;
mod integers;
mod dates;
mod aws;

/// A function that is not written in the language.
pub(super) struct Native {
    pub(super) name: &'static str,
    pub(super) signature: Signature,
    /// How many arguments it looks at, which functions of functions ask.
    pub(super) arity: usize,
    pub(super) of: Of,
    pub(super) run: fn(&Given<'_, '_>) -> Outcome<Value>,
}

/// Whose function it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Both,
    /// Not in the States Language.
    Plain,
    /// Only in the States Language.
    Aws,
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Native({})", self.name)
    }
}

/// One call.
pub(super) struct Given<'g, 'w> {
    pub(super) run: &'g Run<'w>,
    pub(super) values: &'g [Value],
    pub(super) input: &'g Value,
}

type Body = fn(&Given<'_, '_>) -> Outcome<Value>;

const TABLE: &[(&str, &str, usize, Of, Body)] = &[
    ("sum", "<a<n>:n>", 1, Of::Both, numbers::sum),
    ("count", "<a:n>", 1, Of::Both, lists::count),
    ("max", "<a<n>:n>", 1, Of::Both, numbers::max),
    ("min", "<a<n>:n>", 1, Of::Both, numbers::min),
    ("average", "<a<n>:n>", 1, Of::Both, numbers::average),
    ("string", "<x-b?:s>", 1, Of::Both, texts::string),
    ("substring", "<s-nn?:s>", 3, Of::Both, texts::substring),
    ("substringBefore", "<s-s:s>", 2, Of::Both, texts::substring_before),
    ("substringAfter", "<s-s:s>", 2, Of::Both, texts::substring_after),
    ("lowercase", "<s-:s>", 1, Of::Both, texts::lowercase),
    ("uppercase", "<s-:s>", 1, Of::Both, texts::uppercase),
    ("length", "<s-:n>", 1, Of::Both, texts::length),
    ("trim", "<s-:s>", 1, Of::Both, texts::trim),
    ("pad", "<s-ns?:s>", 3, Of::Both, texts::pad),
    ("match", "<s-f<s:o>n?:a<o>>", 3, Of::Both, texts::matches),
    ("contains", "<s-(sf):b>", 2, Of::Both, texts::contains),
    ("replace", "<s-(sf)(sf)n?:s>", 4, Of::Both, texts::replace),
    ("split", "<s-(sf)n?:a<s>>", 3, Of::Both, texts::split),
    ("join", "<a<s>s?:s>", 2, Of::Both, texts::join),
    ("base64encode", "<s-:s>", 1, Of::Both, texts::base64_encode),
    ("base64decode", "<s-:s>", 1, Of::Both, texts::base64_decode),
    ("encodeUrlComponent", "<s-:s>", 1, Of::Both, texts::encode_url_component),
    ("encodeUrl", "<s-:s>", 1, Of::Both, texts::encode_url),
    ("decodeUrlComponent", "<s-:s>", 1, Of::Both, texts::decode_url_component),
    ("decodeUrl", "<s-:s>", 1, Of::Both, texts::decode_url),
    ("formatNumber", "<n-so?:s>", 3, Of::Both, pictures::format_number),
    ("formatBase", "<n-n?:s>", 2, Of::Both, numbers::format_base),
    ("formatInteger", "<n-s:s>", 2, Of::Both, integers::format_integer),
    ("parseInteger", "<s-s:n>", 2, Of::Both, integers::parse_integer),
    ("number", "<(nsb)-:n>", 1, Of::Both, numbers::number),
    ("floor", "<n-:n>", 1, Of::Both, numbers::floor),
    ("ceil", "<n-:n>", 1, Of::Both, numbers::ceil),
    ("round", "<n-n?:n>", 2, Of::Both, numbers::round),
    ("abs", "<n-:n>", 1, Of::Both, numbers::abs),
    ("sqrt", "<n-:n>", 1, Of::Both, numbers::sqrt),
    ("power", "<n-n:n>", 2, Of::Both, numbers::power),
    ("random", "<n?:n>", 0, Of::Both, aws::random),
    ("boolean", "<x-:b>", 1, Of::Both, lists::boolean),
    ("not", "<x-:b>", 1, Of::Both, lists::not),
    ("map", "<af>", 2, Of::Both, higher::map),
    ("zip", "<a+>", 0, Of::Both, lists::zip),
    ("filter", "<af>", 2, Of::Both, higher::filter),
    ("single", "<af?>", 2, Of::Both, higher::single),
    ("reduce", "<afj?:j>", 3, Of::Both, higher::reduce),
    ("sift", "<o-f?:o>", 2, Of::Both, higher::sift),
    ("each", "<o-f:a>", 2, Of::Both, higher::each),
    ("sort", "<af?:a>", 2, Of::Both, higher::sort),
    ("keys", "<x-:a<s>>", 1, Of::Both, lists::keys),
    ("lookup", "<x-s:x>", 2, Of::Both, lists::lookup),
    ("append", "<xx:a>", 2, Of::Both, lists::append),
    ("exists", "<x:b>", 1, Of::Both, lists::exists),
    ("spread", "<x-:a<o>>", 1, Of::Both, lists::spread),
    ("merge", "<a<o>:o>", 1, Of::Both, lists::merge),
    ("reverse", "<a:a>", 1, Of::Both, lists::reverse),
    ("error", "<s?:x>", 1, Of::Both, lists::error),
    ("assert", "<bs?:x>", 2, Of::Both, lists::assert),
    ("type", "<x:s>", 1, Of::Both, lists::kind),
    ("shuffle", "<a:a>", 1, Of::Both, lists::shuffle),
    ("distinct", "<x:x>", 1, Of::Both, lists::distinct),
    ("clone", "<(oa)-:o>", 1, Of::Both, lists::clone),
    ("eval", "<sx?:x>", 2, Of::Plain, higher::eval),
    ("toMillis", "<s-s?:n>", 2, Of::Both, dates::to_millis),
    ("fromMillis", "<n-s?s?:s>", 3, Of::Both, dates::from_millis),
    ("now", "<s?s?:s>", 2, Of::Both, dates::now),
    ("millis", "<:n>", 0, Of::Both, dates::millis),
    ("partition", "<an:a>", 2, Of::Aws, aws::partition),
    ("range", "<nnn:a>", 3, Of::Aws, aws::range),
    ("hash", "<xs:s>", 2, Of::Aws, aws::hash),
    ("uuid", "<:s>", 0, Of::Aws, aws::uuid),
    ("parse", "<s-:x>", 1, Of::Aws, aws::parse),
];

static NATIVES: LazyLock<BTreeMap<&'static str, Native>> = LazyLock::new(|| {
    let native = |(name, signature, arity, of, run): &(&'static str, &str, usize, Of, Body)| {
        let signature = Signature::parse(signature).expect("the table's signatures are well formed");
        (*name, Native { name, signature, arity: *arity, of: *of, run: *run })
    };
    TABLE.iter().map(native).collect()
});

/// What the function made by a transform takes.
pub(super) static TRANSFORM: LazyLock<Signature> =
    LazyLock::new(|| Signature::parse("<(oa):o>").expect("a signature that is well formed"));

pub(super) fn find(name: &str) -> Option<&'static Native> {
    NATIVES.get(name)
}

const UNDEFINED: &Value = &Value::Undefined;

impl Given<'_, '_> {
    pub(super) fn budget(&self) -> &Rc<Budget> {
        &self.run.budget
    }

    pub(super) fn value(&self, index: usize) -> &Value {
        self.values.get(index).unwrap_or(UNDEFINED)
    }

    /// Partial application passes signatures by: the wrong kind is taken for nothing.
    pub(super) fn text(&self, index: usize) -> Option<&Text> {
        self.value(index).as_text()
    }

    pub(super) fn number(&self, index: usize) -> Option<f64> {
        self.value(index).as_f64()
    }

    pub(super) fn array(&self, index: usize) -> Option<&Array> {
        match self.value(index) {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }

    pub(super) fn has(&self, index: usize) -> bool {
        !self.value(index).is_undefined()
    }

    pub(super) fn make(&self, text: String) -> Outcome<Value> {
        Value::text(&self.run.budget, text)
    }
}
