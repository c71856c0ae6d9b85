//! Numbers of a Map: given, found by a path, or computed.
//!
//! A path may find a number or a text that holds one (recorded on AWS); an expression gives a number.

use asl::{Concurrency, Jsonata, Quantity, Tolerated};
use base::Json;
use expr::{ReferencePath, Scope};

use crate::data::{self, Fault};

/// How many iterations may run at a time; 0 is "as many as may be".
pub(crate) fn concurrency(concurrency: &Concurrency, scope: &dyn Scope) -> Result<u64, Fault> {
    let field = "MaxConcurrency";
    match concurrency {
        Concurrency::Literal(number) => Ok(*number),
        Concurrency::Jsonata(value) => data::whole(value, field, scope),
        Concurrency::Path(path) => {
            let number = |value: &Json| integer(value).and_then(|number| u64::try_from(number).ok());
            found(path, field, "integer", scope, number)
        }
    }
}

/// `ToleratedFailureCount`, where there is one.
pub(crate) fn tolerated_count(tolerated: &Tolerated, scope: &dyn Scope) -> Result<Option<u64>, Fault> {
    let count = whole(tolerated.count.as_ref(), "ToleratedFailureCount", scope)?;
    let count = count.map(|count| u64::try_from(count).map_err(|_| "ToleratedFailureCount cannot be negative."));
    count.transpose().map_err(|text| Fault::Runtime(text.to_owned()))
}

/// `ToleratedFailurePercentage`, where there is one. AWS's words for one that is none are not known.
pub(crate) fn tolerated_percentage(tolerated: &Tolerated, scope: &dyn Scope) -> Result<Option<f64>, Fault> {
    let field = "ToleratedFailurePercentage";
    let Some(quantity) = &tolerated.percentage else { return Ok(None) };
    match number(quantity, field, "float", scope, float)? {
        percentage if (0.0..=100.0).contains(&percentage) => Ok(Some(percentage)),
        _ => Err(Fault::Runtime(format!("{field} must be between 0 and 100."))),
    }
}

/// A whole number, where there is one; it may be negative.
pub(crate) fn whole(quantity: Option<&Quantity>, field: &str, scope: &dyn Scope) -> Result<Option<i64>, Fault> {
    quantity.map(|quantity| number(quantity, field, "integer", scope, integer)).transpose()
}

fn number<T>(
    quantity: &Quantity,
    field: &str,
    kind: &str,
    scope: &dyn Scope,
    parse: impl Fn(&Json) -> Option<T>,
) -> Result<T, Fault> {
    match quantity {
        Quantity::Literal(number) => {
            let refused = || Fault::Runtime(format!("{field} is {number}, which is not a valid {kind}"));
            parse(&Json::from(*number)).ok_or_else(refused)
        }
        Quantity::Jsonata(computed) => computed_number(computed, field, kind, scope, parse),
        Quantity::Path(path) => found(path, field, kind, scope, parse),
    }
}

fn computed_number<T>(
    computed: &Jsonata,
    field: &str,
    kind: &str,
    scope: &dyn Scope,
    parse: impl Fn(&Json) -> Option<T>,
) -> Result<T, Fault> {
    let value = data::number(computed, field, scope)?;
    let refused = || Fault::at(field, format!("The value of the field '{field}' is not a valid {kind}: {value}"));
    parse(&value).ok_or_else(refused)
}

/// What the path finds, for the field whose name this is without `Path`.
fn found<T>(
    path: &ReferencePath,
    field: &str,
    kind: &str,
    scope: &dyn Scope,
    parse: impl Fn(&Json) -> Option<T>,
) -> Result<T, Fault> {
    let value = path.eval(scope).map_err(|failure| format!("Invalid path '{}' : {}", path.text(), failure.message))?;
    parse(&value).ok_or_else(|| {
        let (value, path) = (data::bare(&value), path.text());
        Fault::Runtime(format!("The {field}Path field refers to value \"{value}\" which is not a valid {kind}: {path}"))
    })
}

fn integer(value: &Json) -> Option<i64> {
    // What a double holds exactly.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Json::Number(_) => value
            .as_i64()
            .or_else(|| value.as_f64().filter(|it| it.fract() == 0.0 && it.abs() < EXACT).map(|it| it as i64)),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn float(value: &Json) -> Option<f64> {
    match value {
        Json::Number(_) => value.as_f64(),
        Json::String(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}
