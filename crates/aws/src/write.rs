//! Answers, written straight into their bytes.
//!
//! A client's answer and a task's result hold the same; they differ in how names and times are written.

use base::{Json, Timestamp};

/// For whom the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A client: names as in the API, times as seconds since the epoch.
    Client,
    /// A state's result: names with a capital (`StateMachineArn`), times in ISO 8601.
    Task,
}

/// One JSON object in the making. What is `None` is left out.
#[derive(Debug)]
pub(crate) struct Writer {
    out: Vec<u8>,
    style: Style,
    /// Whether the object or list that is being written has a first member.
    begun: bool,
}

impl Writer {
    pub(crate) fn new(style: Style) -> Writer {
        Writer { out: b"{".to_vec(), style, begun: false }
    }

    /// The whole text.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.put_text(text);
    }

    pub(crate) fn text_if(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    pub(crate) fn integer(&mut self, name: &str, number: i64) {
        self.name(name);
        self.out.extend_from_slice(number.to_string().as_bytes());
    }

    pub(crate) fn boolean(&mut self, name: &str, truth: bool) {
        self.name(name);
        self.out.extend_from_slice(if truth { b"true" } else { b"false" });
    }

    pub(crate) fn time(&mut self, name: &str, time: Timestamp) {
        self.name(name);
        match self.style {
            Style::Client => {
                let text = format!("{}.{:03}", time.0.div_euclid(1000), time.0.rem_euclid(1000));
                self.out.extend_from_slice(text.as_bytes());
            }
            Style::Task => self.put_text(&time.to_string()),
        }
    }

    pub(crate) fn time_if(&mut self, name: &str, time: Option<Timestamp>) {
        if let Some(time) = time {
            self.time(name, time);
        }
    }

    /// A structure of the API that was kept as it came.
    pub(crate) fn structure(&mut self, name: &str, json: &Json) {
        self.name(name);
        self.put_structure(json);
    }

    pub(crate) fn object(&mut self, name: &str, write: impl FnOnce(&mut Writer)) {
        self.name(name);
        self.put_object(write);
    }

    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Writer, T),
    ) {
        self.name(name);
        self.nested(b'[', b']', |writer| {
            for item in items {
                writer.comma();
                writer.put_object(|writer| write(writer, item));
            }
        });
    }

    pub(crate) fn texts<'a>(&mut self, name: &str, items: impl IntoIterator<Item = &'a str>) {
        self.name(name);
        self.put_texts(items);
    }

    /// A map from text to text; its keys are data, written as they are.
    pub(crate) fn texts_by_key<'a>(&mut self, name: &str, members: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.name(name);
        self.nested(b'{', b'}', |writer| {
            for (key, text) in members {
                writer.comma();
                writer.put_text(key);
                writer.out.push(b':');
                writer.put_text(text);
            }
        });
    }

    /// A map whose keys are data, written as they are.
    pub(crate) fn map<'a, V: IntoIterator<Item = &'a str>>(
        &mut self,
        name: &str,
        members: impl IntoIterator<Item = (&'a str, V)>,
    ) {
        self.name(name);
        self.nested(b'{', b'}', |writer| {
            for (key, items) in members {
                writer.comma();
                writer.put_text(key);
                writer.out.push(b':');
                writer.put_texts(items);
            }
        });
    }

    fn put_texts<'a>(&mut self, items: impl IntoIterator<Item = &'a str>) {
        self.nested(b'[', b']', |writer| {
            for item in items {
                writer.comma();
                writer.put_text(item);
            }
        });
    }

    fn put_structure(&mut self, json: &Json) {
        match json {
            Json::Object(members) => self.put_object(|writer| {
                for (key, value) in members.iter() {
                    writer.structure(key, value);
                }
            }),
            Json::Array(items) => self.nested(b'[', b']', |writer| {
                for item in items.iter() {
                    writer.comma();
                    writer.put_structure(item);
                }
            }),
            scalar => self.out.extend_from_slice(scalar.to_string().as_bytes()),
        }
    }

    fn put_object(&mut self, write: impl FnOnce(&mut Writer)) {
        self.nested(b'{', b'}', write);
    }

    fn nested(&mut self, open: u8, close: u8, write: impl FnOnce(&mut Writer)) {
        self.out.push(open);
        self.begun = false;
        write(self);
        self.out.push(close);
        self.begun = true;
    }

    fn name(&mut self, name: &str) {
        self.comma();
        match self.style {
            Style::Client => self.put_text(name),
            Style::Task => self.put_text(&in_tasks(name)),
        }
        self.out.push(b':');
    }

    fn comma(&mut self) {
        if self.begun {
            self.out.push(b',');
        }
        self.begun = true;
    }

    fn put_text(&mut self, text: &str) {
        serde_json::to_writer(&mut self.out, text).expect("writing into memory cannot fail");
    }
}

/// How tasks name a member: as AWS's SDK for Java does, with a capital. There an abbreviation at the beginning is a word
/// (`ARN` is `Arn`, `IPAddress` is `IpAddress`), and one further on stays as it is (`billedMemoryUsedInMB`).
pub(crate) fn in_tasks(name: &str) -> String {
    let capitals = name.bytes().take_while(u8::is_ascii_uppercase).count();
    // The last capital before a small letter begins the next word.
    let abbreviation = if capitals < name.len() { capitals.saturating_sub(1) } else { capitals };
    let (first, rest) = name.split_at(abbreviation);
    match abbreviation {
        0 => capitalized(rest),
        _ => capitalized(&first.to_ascii_lowercase()) + rest,
    }
}

/// With its first letter in upper case.
pub(crate) fn capitalized(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abbreviation_is_a_word_to_tasks() {
        let names = [
            "stateMachineArn",
            "ARN",
            "IPAddress",
            "ETag",
            "SSEKMSKeyId",
            "OutputS3BucketName",
            "KeyId",
            "key",
            "usedInMB",
        ];
        let told = [
            "StateMachineArn",
            "Arn",
            "IpAddress",
            "ETag",
            "SsekmsKeyId",
            "OutputS3BucketName",
            "KeyId",
            "Key",
            "UsedInMB",
        ];
        assert_eq!(names.map(in_tasks), told);
    }

    #[test]
    fn the_same_answer_for_a_client_and_for_a_task() {
        let answer = |style| {
            let mut out = Writer::new(style);
            out.text("name", "a\"b");
            out.time("startDate", Timestamp(1_551_225_271_084));
            out.object("inputDetails", |out| out.boolean("included", true));
            out.structure("kept", &Json::parse(r#"{"level":"ALL","destinations":[{"arn":null}]}"#).expect("JSON"));
            out.map("parameters", [("commands", ["ls", "id"])]);
            out.list("tags", ["x", "y"], |out, tag| out.text("key", tag));
            out.list("none", Vec::<&str>::new(), |out, tag| out.text("key", tag));
            String::from_utf8(out.finish()).expect("UTF-8")
        };
        assert_eq!(
            answer(Style::Client),
            r#"{"name":"a\"b","startDate":1551225271.084,"inputDetails":{"included":true},"kept":{"level":"ALL","destinations":[{"arn":null}]},"parameters":{"commands":["ls","id"]},"tags":[{"key":"x"},{"key":"y"}],"none":[]}"#
        );
        assert_eq!(
            answer(Style::Task),
            r#"{"Name":"a\"b","StartDate":"2019-02-26T23:54:31.084Z","InputDetails":{"Included":true},"Kept":{"Level":"ALL","Destinations":[{"Arn":null}]},"Parameters":{"commands":["ls","id"]},"Tags":[{"Key":"x"},{"Key":"y"}],"None":[]}"#
        );
    }
}
