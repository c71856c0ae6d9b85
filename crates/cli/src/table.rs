//! Rows of cells, written for people (aligned, in their words) or for programs (tab-separated, in fixed ones).

use api::agents::AgentStatus;
use api::{StateStatus, Status};
use base::Timestamp;
use unicode_width::UnicodeWidthChar;

use crate::agents;
use crate::lang::Lang;
use crate::time::{Clock, duration};
use crate::words::{Column, Say};

/// A list, or one thing with its fields as rows.
#[derive(Debug, Clone)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Text(String),
    Number(i64),
    Time(Option<Timestamp>),
    /// Milliseconds.
    Length(Option<i64>),
    Status(Status),
    State(StateStatus),
    Agent(AgentStatus),
    /// A word of AWS's: `Online`, `InProgress`.
    Word(String, Tone),
}

/// What a word means to whoever looks: its symbol and its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Warning,
    Busy,
    Waiting,
    Over,
}

impl Tone {
    pub fn of_status(status: Status) -> Tone {
        match status {
            Status::Running => Tone::Busy,
            Status::Succeeded => Tone::Good,
            Status::Failed | Status::TimedOut => Tone::Bad,
            Status::Aborted => Tone::Over,
        }
    }

    pub fn of_state(status: StateStatus) -> Tone {
        match status {
            StateStatus::Running => Tone::Busy,
            StateStatus::Waiting => Tone::Waiting,
            StateStatus::Succeeded => Tone::Good,
            StateStatus::Warning => Tone::Warning,
            StateStatus::Failed => Tone::Bad,
            StateStatus::Stopped => Tone::Over,
        }
    }

    pub fn of_agent(status: AgentStatus) -> Tone {
        match status {
            AgentStatus::Up => Tone::Good,
            AgentStatus::Stale => Tone::Warning,
            AgentStatus::Draining => Tone::Waiting,
            AgentStatus::Lost | AgentStatus::Suspended => Tone::Bad,
            AgentStatus::Unknown => Tone::Over,
        }
    }

    /// One cell wide in every terminal, East Asian ones included.
    pub fn symbol(self) -> char {
        match self {
            Tone::Good => '✓',
            Tone::Bad => '✗',
            Tone::Warning => '!',
            Tone::Busy => '▸',
            Tone::Waiting => '◌',
            Tone::Over => '▪',
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Warning => "33",
            Tone::Busy => "1;34",
            Tone::Waiting => "36",
            Tone::Over => "2",
        }
    }
}

/// How people are to see it.
#[derive(Debug, Clone)]
pub struct Look {
    pub lang: Lang,
    pub colour: bool,
    pub headers: bool,
    pub clock: Clock,
}

impl Look {
    /// `text` in the colour of `tone`.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", tone.colour()) } else { text.to_owned() }
    }

    pub fn say(&self, say: Say<'_>) -> String {
        say.text(self.lang)
    }
}

impl Table {
    pub fn new(columns: impl Into<Vec<Column>>) -> Table {
        Table { columns: columns.into(), rows: vec![] }
    }

    /// One thing: each field a row of its own.
    pub fn fields(fields: impl IntoIterator<Item = (Column, Cell)>) -> Fields {
        Fields(fields.into_iter().collect())
    }

    /// Aligned by what terminals show, two spaces between columns.
    pub fn aligned(&self, look: &Look) -> String {
        let mut lines: Vec<Vec<(String, Option<Tone>)>> = vec![];
        if look.headers {
            lines.push(self.columns.iter().map(|&column| (look.say(Say::Column(column)), None)).collect());
        }
        lines.extend(self.rows.iter().map(|row| row.iter().map(|cell| cell.shown(look)).collect()));
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| lines.iter().map(|line| width(&line[column].0)).max().unwrap_or(0))
            .collect();

        let mut text = String::new();
        for line in lines {
            let mut shown = String::new();
            let mut owed = 0;
            for ((cell, tone), &column_width) in line.iter().zip(&widths) {
                shown.extend(std::iter::repeat_n(' ', owed));
                shown.push_str(&tone.map_or_else(|| cell.clone(), |tone| look.paint(tone, cell)));
                owed = column_width - width(cell) + 2;
            }
            text.push_str(shown.trim_end());
            text.push('\n');
        }
        text
    }

    /// Tab-separated, with ISO times and English keys whatever the language.
    pub fn tabbed(&self, headers: bool) -> String {
        let mut text = String::new();
        if headers {
            let keys: Vec<_> = self.columns.iter().map(|column| column.key()).collect();
            text.push_str(&keys.join("\t"));
            text.push('\n');
        }
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(Cell::plain).collect();
            text.push_str(&cells.join("\t"));
            text.push('\n');
        }
        text
    }
}

/// One thing and its fields.
#[derive(Debug, Clone)]
pub struct Fields(Vec<(Column, Cell)>);

impl Fields {
    pub fn aligned(&self, look: &Look) -> String {
        let names: Vec<String> = self.0.iter().map(|(column, _)| look.say(Say::Column(*column))).collect();
        let widest = names.iter().map(|name| width(name)).max().unwrap_or(0);
        let mut text = String::new();
        let mut last = None;
        for ((column, cell), name) in self.0.iter().zip(&names) {
            // Lines that belong together have one name.
            let name = if last.replace(column) == Some(column) { "" } else { name };
            let (shown, tone) = cell.shown(look);
            let shown = tone.map_or_else(|| shown.clone(), |tone| look.paint(tone, &shown));
            text.push_str(&format!("{name}{}  {shown}\n", " ".repeat(widest - width(name))));
        }
        text
    }

    pub fn tabbed(&self) -> String {
        self.0.iter().map(|(column, cell)| format!("{}\t{}\n", column.key(), cell.plain())).collect()
    }
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    fn shown(&self, look: &Look) -> (String, Option<Tone>) {
        match self {
            Cell::Text(text) => (clean(text), None),
            Cell::Number(number) => (number.to_string(), None),
            Cell::Time(Some(at)) => (look.clock.date_and_time(*at), None),
            Cell::Length(Some(millis)) => (duration(*millis), None),
            Cell::Time(None) | Cell::Length(None) => ("-".to_owned(), None),
            Cell::Status(status) => marked(Tone::of_status(*status), &look.say(Say::Status(*status))),
            Cell::State(status) => marked(Tone::of_state(*status), &look.say(Say::State(*status))),
            Cell::Agent(status) => marked(Tone::of_agent(*status), agents::words::status(*status, look.lang)),
            Cell::Word(word, tone) => marked(*tone, &clean(word)),
        }
    }

    fn plain(&self) -> String {
        match self {
            Cell::Text(text) | Cell::Word(text, _) => clean(text),
            Cell::Number(number) => number.to_string(),
            Cell::Time(Some(at)) => at.to_string(),
            Cell::Length(Some(millis)) => format!("{}.{:03}", millis / 1000, millis.rem_euclid(1000)),
            Cell::Time(None) | Cell::Length(None) => String::new(),
            Cell::Status(status) => status.name().to_owned(),
            Cell::State(status) => state_key(*status).to_owned(),
            Cell::Agent(status) => status.name().to_owned(),
        }
    }
}

/// The fixed word for a state's status.
pub fn state_key(status: StateStatus) -> &'static str {
    match status {
        StateStatus::Running => "running",
        StateStatus::Waiting => "waiting",
        StateStatus::Succeeded => "succeeded",
        StateStatus::Warning => "warning",
        StateStatus::Failed => "failed",
        StateStatus::Stopped => "stopped",
    }
}

fn marked(tone: Tone, word: &str) -> (String, Option<Tone>) {
    (format!("{} {word}", tone.symbol()), Some(tone))
}

/// The text on one line, with nothing in it that a terminal would obey: names come from elsewhere.
pub fn clean(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| {
            if matches!(c, '\n' | '\t' | '\r') {
                ' '
            } else if obeyed(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// How many columns of a terminal the text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The text cut to `columns` of a terminal, with two dots where something is missing.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(2);
    let mut used = 0;
    let mut kept: String = text
        .chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect();
    kept.extend(std::iter::repeat_n('.', columns.min(2)));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use unicode_width::UnicodeWidthStr;

    fn look(lang: Lang) -> Look {
        Look { lang, colour: false, headers: true, clock: Clock::utc() }
    }

    fn table() -> Table {
        let mut table = Table::new([Column::Status, Column::Definition, Column::Name, Column::Start, Column::Duration]);
        let row = |status, definition: &str, name: &str, length| {
            vec![
                Cell::Status(status),
                Cell::text(definition),
                Cell::text(name),
                Cell::Time(Some(Timestamp(1_795_402_800_000))),
                Cell::Length(length),
            ]
        };
        table.rows.push(row(Status::Failed, "締め-日次売上締め", "a3f9c1", Some(2_472_000)));
        table.rows.push(row(Status::Running, "backup", "夜間 1", None));
        table.rows.push(row(Status::TimedOut, "ﾊﾞｯｸｱｯﾌﾟ", "x\ty\x1b[31m", Some(950)));
        table
    }

    fn check(text: String, expected: Expect) {
        expected.assert_eq(&text);
    }

    #[test]
    fn columns_line_up_whatever_the_characters_width() {
        check(
            table().aligned(&look(Lang::Ja)),
            expect![[r#"
                状態                    定義               名前      開始                 時間
                ✗ 異常終了              締め-日次売上締め  a3f9c1    2026-11-23 03:00:00  41m12s
                ▸ 実行中                backup             夜間 1    2026-11-23 03:00:00  -
                ✗ 異常終了（時間切れ）  ﾊﾞｯｸｱｯﾌﾟ           x y�[31m  2026-11-23 03:00:00  0.9s
            "#]],
        );
        check(
            table().aligned(&look(Lang::En)),
            expect![[r#"
                STATUS                DEFINITION         NAME      START                TIME
                ✗ Failed              締め-日次売上締め  a3f9c1    2026-11-23 03:00:00  41m12s
                ▸ Running             backup             夜間 1    2026-11-23 03:00:00  -
                ✗ Failed (timed out)  ﾊﾞｯｸｱｯﾌﾟ           x y�[31m  2026-11-23 03:00:00  0.9s
            "#]],
        );
    }

    #[test]
    fn programs_get_tabs_keys_and_iso_times() {
        check(
            table().tabbed(true),
            expect![[r#"
                status	definition	name	started	seconds
                failed	締め-日次売上締め	a3f9c1	2026-11-23T03:00:00.000Z	2472.000
                running	backup	夜間 1	2026-11-23T03:00:00.000Z	
                timed_out	ﾊﾞｯｸｱｯﾌﾟ	x y�[31m	2026-11-23T03:00:00.000Z	0.950
            "#]],
        );
    }

    #[test]
    fn a_field_stands_beside_its_name() {
        let fields =
            Table::fields([(Column::Name, Cell::text("夜間")), (Column::Status, Cell::State(StateStatus::Warning))]);
        check(
            fields.aligned(&look(Lang::Ja)) + &fields.aligned(&look(Lang::En)) + &fields.tabbed(),
            expect![[r#"
            名前  夜間
            状態  ! 警告終了
            NAME    夜間
            STATUS  ! Warning
            name	夜間
            status	warning
        "#]],
        );
    }

    #[test]
    fn colour_adds_and_never_replaces() {
        let painted = Look { colour: true, ..look(Lang::En) };
        let text = table().aligned(&painted);
        assert!(text.contains("\x1b[1;31m✗ Failed\x1b[0m"), "{text:?}");
    }

    #[test]
    fn symbols_are_one_wide_even_in_an_east_asian_terminal() {
        for tone in [Tone::Good, Tone::Bad, Tone::Warning, Tone::Busy, Tone::Waiting, Tone::Over] {
            let symbol = tone.symbol().to_string();
            assert_eq!((symbol.width(), symbol.width_cjk()), (1, 1), "{symbol}");
        }
    }

    #[test]
    fn cutting_counts_columns() {
        assert_eq!(cut("夜間バックアップ", 16), "夜間バックアップ");
        assert_eq!(cut("夜間バックアップ", 9), "夜間バ..");
        assert_eq!(cut("abc", 2), "..");
    }
}
