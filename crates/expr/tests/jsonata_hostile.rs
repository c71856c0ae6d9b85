//! Expressions that mean no good end soon, in little memory and on a small stack.

use std::fmt::Write;
use std::time::{Duration, Instant};

use base::{Json, Timestamp};
use expr::Scope;
use expr::jsonata::Expression;

struct World(Json);

impl Scope for World {
    fn input(&self) -> &Json {
        &self.0
    }

    fn context(&self) -> &Json {
        &Json::Null
    }

    fn variable(&self, _: &str) -> Option<&Json> {
        None
    }

    fn chance(&self) -> u64 {
        7
    }

    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

const STACK_BYTES: usize = 2 * 1024 * 1024;
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What an optimised build needs at most; this one may be the other kind, on a busy machine.
const TIME_MAX: Duration = Duration::from_millis(if cfg!(debug_assertions) { 10_000 } else { 200 });

/// Each with a part of what becomes of it.
const HOSTILE: &[(&str, &str)] = &[
    ("($f := function($s, $n) { $n = 0 ? $s : $f($s & $s, $n - 1) }; $f('x', 40))", "memory limit"),
    ("$pad('x', 10000000000)", "memory limit"),
    ("$pad('x', -10000000000, 'ab')", "memory limit"),
    ("$length($join([1..360000].$pad('x', 1000)))", "memory limit"),
    ("$join($map([1..300000], function($i) { 'xxxxxxxxxxxxxxxxxxxxxxxx' }), $pad('y', 1000))", "memory limit"),
    ("$replace($pad('', 1000000, 'a'), 'a', $pad('', 1000000, 'b'))", "memory limit"),
    ("$replace($pad('', 100000, 'a'), /a/, $pad('', 100000, 'b'))", "memory limit"),
    ("($f := function($a, $n) { $n = 0 ? $a : $f([$a, $a], $n - 1) }; $f([1], 60))", "threw"),
    ("($f := function($a, $n) { $n = 0 ? $a : $f($append($a, $a), $n - 1) }; $f([1], 60))", "threw"),
    ("($f := function($a, $n) { $n = 0 ? $string($a) : $f([[$a], [$a]], $n - 1) }; $f([1], 40))", "memory limit"),
    ("($f := function($a, $n) { $n = 0 ? $a : $f({'a': $a}, $n - 1) }; $f(1, 100000))", "memory limit"),
    ("($a := {'x': $pad('', 1000000)}; $f := function($i) { $a }; $map([1..100000], $f))", "memory limit"),
    ("[1..1000000]", "memory limit"),
    ("[1..10000001]", "D2014"),
    ("$range(1, 1000000000, 1)", "memory limit"),
    ("$map([1..360145], function($i) { [1..360145] })", "memory limit"),
    ("[1..360145].[1..100]", "memory limit"),
    ("$count([1..360145].[1..360145])", "360145"),
    ("$zip([1..360145], [1..360145], [1..360145], [1..360145])", "memory limit"),
    ("$sum([1..360145])", "64852"),
    ("($f := function() { $f() }; $f())", "timeout"),
    ("($f := function($n) { 1 + $f($n) }; $f(1))", "Depth=101 max=100"),
    ("($f := function($n) { $map([1], function($v) { $f($v) }) }; $f(1))", "Depth=101 max=100"),
    ("($f := function($n) { [1] ~> $map(function($v) { [$f($v)][0] }) ~> $sum }; $f(1))", "Depth=101 max=100"),
    ("($f := function($l, $r) { $sort([2, 1], $f) }; $f(1, 2))", "Depth=101 max=100"),
    ("($f := function($n) { $n{'a': $f($n)} }; $f(1))", "Depth=101 max=100"),
    ("($f := function($n) { {'a': 1} ~> |$|{'b': $f(1)}| }; $f(1))", "Depth=101 max=100"),
    ("($f := $sum; $g := function($n) { ($f := $f ~> $sum; $n = 0 ? $f : $g($n - 1)) }; $g(10)([1]))", "1"),
    ("($g := function($p, $n) { $n = 0 ? $p : $g($p(?), $n - 1) }; $g($sum, 100000)(1))", "memory limit"),
    ("($g := function($h, $n) { $n = 0 ? $h : $g(function() { $h }, $n - 1) }; ($g(1, 100000); 5))", "memory limit"),
    ("($g := function($h, $n) { $n = 0 ? $h : $g($h ~> $sum, $n - 1) }; ($g($sum, 100000); 5))", "memory limit"),
    ("$contains($pad('', 5000, 'a'), /(a+)+$/)", "true"),
    ("$contains($pad('', 6000000, 'a'), /(a+)+b/)", "timeout"),
    ("$match($pad('', 1000000, 'ab'), /b/)", "threw"),
    ("$split($pad('', 6000000, 'ab'), 'a')", "limit"),
    ("$split($pad('', 6000000), '')", "limit"),
    ("$formatNumber(0, '0e0')", "0e0"),
    ("$formatNumber(1, $pad('0', 5000000, '0'))", "memory limit"),
    ("$formatInteger(1e300, 'I')", "memory limit"),
    ("$formatInteger(1e300, 'a')", "a"),
    ("$formatInteger(1e300, 'w')", "threw"),
    ("$formatInteger(1, $pad('', 5000000, '0'))", "0"),
    ("$fromMillis(1e300)", "D1001"),
    ("$fromMillis(0, '[Y,9999999]')", "1970"),
    ("$toMillis('1', $pad('', 10000, '[Y]'))", "memory limit"),
    ("$parse($pad('', 6000000, '['))", "memory limit"),
    ("$parse($pad('', 3000, '['))", "parse"),
    ("$parse($pad('', 6000000, '{},'))", "memory limit"),
    ("$count($distinct($map([1..360000], function($i) { $i * 2 })))", "timeout"),
    ("$sort([1..100000], function($l, $r) { $l < $r })", "timeout"),
    ("$reduce([1..100000], function($a, $b) { $append($a, $b) })", "threw"),
    ("$reduce([1..360145], function($a, $b) { $a & $string($b) })", "timeout"),
    ("[1..1000]@$a.[1..1000]@$b.[1..1000]@$c", "limit"),
    ("$states.input.** ~> $count", "7"),
    ("$merge([1..300000].{$string($): $})", "limit"),
    ("[1..300000]{$string($): $}", "limit"),
    ("$map([1..100000], function($i) { function($j) { $i } })", "memory limit"),
    ("$shuffle([1..100000])[0] > 0", "true"),
    ("$hash($pad('', 6000000), 'SHA-512')", "\""),
    ("$base64encode($pad('', 6000000))", "memory limit"),
    ("$encodeUrl($pad('', 3000000, 'é'))", "limit"),
    ("$uppercase($pad('', 5000000, 'ß'))", "limit"),
];

fn outcome(world: &World, text: &str) -> String {
    match Expression::parse(text) {
        Err(error) => format!("syntax: {}", error.message),
        Ok(expression) => match expression.eval("Output", world) {
            Ok(value) => value.to_string(),
            Err(fault) => fault.text.replace(text, "…"),
        },
    }
}

/// Memory that the process has had at its most.
fn memory_peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * 1024)
}

#[expect(clippy::disallowed_methods, reason = "how long it takes is the question")]
fn trial(world: &World, base: usize, text: &str, wanted: &str) -> Option<String> {
    let begun = Instant::now();
    let got = outcome(world, text);
    let (took, peak) = (begun.elapsed(), memory_peak().unwrap_or_default().saturating_sub(base));
    let shown: String = got.chars().take(160).collect();
    let short: String = text.chars().take(100).collect();
    let line = format!("{took:>10.1?} {:>4} MiB {short}\n    {shown}", peak >> 20);
    if std::env::args().any(|argument| argument == "--nocapture") {
        show(&line);
    }
    (!got.contains(wanted) || took > TIME_MAX || peak > MEMORY_BYTES_MAX).then(|| format!("wanted {wanted}: {line}"))
}

#[expect(clippy::print_stderr, reason = "asked for on the command line")]
fn show(line: &str) {
    eprintln!("{line}");
}

/// One test, so that what the process takes is what one expression takes.
#[test]
fn hostile_expressions_end_in_little_time_memory_and_stack() {
    let trials = || {
        let world = World(Json::parse(r#"{"a":{"b":[1,{"c":[2,3]}]},"d":4}"#).expect("valid"));
        let base = memory_peak().unwrap_or_default();
        let mut faults: Vec<String> =
            HOSTILE.iter().filter_map(|(text, wanted)| trial(&world, base, text, wanted)).collect();
        for (text, wanted) in nested() {
            faults.extend(trial(&world, base, &text, wanted));
        }
        faults
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(trials).expect("a thread");
    let faults = thread.join().expect("nothing overflows");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Texts that are too deep to be read, and the deepest that may be.
fn nested() -> Vec<(String, &'static str)> {
    let mut texts = Vec::new();
    for (open, close) in [("(", ")"), ("[", "]"), ("{'a':", "}"), ("-", ""), ("$f(", ")"), ("a[", "]"), ("a^(", ")")] {
        texts.push((format!("{}1{}", open.repeat(100_000), close.repeat(100_000)), "S0304"));
        texts.push((format!("{}1{}", open.repeat(95), close.repeat(95)), ""));
    }
    texts.push((format!("1{}", "+1".repeat(100_000)), "S0304"));
    texts.push((format!("1{}", "+1".repeat(95)), "96"));
    texts.push((format!("a{}", ".a".repeat(100_000)), "S0304"));
    texts.push((format!("1{}", "?1:1".repeat(100_000)), "S0304"));
    texts.push((format!("x{}", "[0]".repeat(100_000)), "S0304"));
    texts.push((format!("function($x)<{}>{{1}}", "(".repeat(100_000)), "unsupported"));
    texts.push((format!("$f{}", "(".repeat(100_000)), "S0304"));
    texts.push((format!("/{}a/", "(".repeat(100_000)), "S0"));
    texts.push((format!("/{}a{}/", "(".repeat(10_000), ")".repeat(10_000)), "S0303"));
    texts.push(("/a{1000}{1000}{1000}/".to_owned(), "S0303"));
    let mut wide = "[".to_owned();
    for index in 0..10_000 {
        write!(wide, "{index},").expect("a String takes everything");
    }
    texts.push((wide + "0]", "9999"));
    texts
}
