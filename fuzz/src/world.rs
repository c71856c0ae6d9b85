//! What expressions see here.

use std::cell::Cell;

use base::{Json, Timestamp};
use expr::Scope;

pub(crate) struct World {
    input: Json,
    context: Json,
    variables: Json,
    chances: Cell<u64>,
}

const INPUT: &str = r#"{"a":1,"b":[1,2,{"c":"x"},null,true,-3.5e10],"s":"texts, and é","n":null,"deep":{"er":{"est":[[[1]]]}},
"orders":[{"id":1,"price":10.5,"tags":["x","y"]},{"id":2,"price":20,"tags":[]},{"id":3}],"empty":{},"big":9007199254740993}"#;
const CONTEXT: &str = r#"{"Execution":{"Name":"night-1","Input":{"n":[1,2]}},"State":{"Name":"S"},"Map":{"Item":{"Index":0,"Value":"v"}}}"#;
const VARIABLES: &str = r#"{"limit":2,"order":{"id":7,"lines":[{"sku":"a"},{"sku":"b"}]},"名前":"é","x":[1,2,3]}"#;

impl World {
    /// `input`, where it is JSON; else one that has a little of everything.
    pub(crate) fn new(input: &[u8]) -> World {
        let json = |text: &str| Json::parse(text).expect("written here");
        let given = std::str::from_utf8(input).ok().and_then(|text| Json::parse(text).ok());
        World {
            input: given.unwrap_or_else(|| json(INPUT)),
            context: json(CONTEXT),
            variables: json(VARIABLES),
            chances: Cell::new(0),
        }
    }
}

impl Scope for World {
    fn input(&self) -> &Json {
        &self.input
    }

    fn context(&self) -> &Json {
        &self.context
    }

    fn variable(&self, name: &str) -> Option<&Json> {
        self.variables.get(name)
    }

    fn chance(&self) -> u64 {
        self.chances.set(self.chances.get() + 1);
        self.chances.get().wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn result(&self) -> Option<&Json> {
        Some(&self.variables)
    }

    fn error_output(&self) -> Option<&Json> {
        Some(&self.context)
    }

    fn now(&self) -> Timestamp {
        Timestamp(1_551_225_271_984)
    }
}
