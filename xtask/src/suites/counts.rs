//! Counting tests in what the test programs print.

use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
}

impl Counts {
    /// A check that counts as one test.
    pub fn of_one(fine: bool) -> Self {
        Self { passed: u64::from(fine), failed: u64::from(!fine) }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// How a suite's tests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// The suite is one check.
    AsOne,
    /// Lines of libtest: `test result: ok. 3 passed; 0 failed; ...`.
    Libtest,
    /// Lines of Node's TAP reporter: `# pass 3`, `# fail 0`, `# cancelled 0`.
    Tap,
}

impl Counting {
    /// The tests that one line of output speaks of.
    pub fn of_line(self, line: &str) -> Counts {
        match self {
            Self::AsOne => Counts::default(),
            Self::Libtest => libtest(line).unwrap_or_default(),
            Self::Tap => tap(line).unwrap_or_default(),
        }
    }

    /// What one line of output says of a test that failed: its name, or why.
    pub fn failure_of_line(self, line: &str) -> Option<&str> {
        let line = line.trim();
        match self {
            Self::AsOne => None,
            Self::Libtest => line.strip_prefix("test ")?.strip_suffix(" ... FAILED"),
            Self::Tap => {
                let is_failure = line.starts_with("not ok ") || line.starts_with("error: ");
                is_failure.then_some(line)
            }
        }
    }

    /// What the suite counts in the end, given whether its program succeeded.
    ///
    /// A suite that found no test, or that failed without saying which, counts as one failure: it
    /// did not compile, or it was named wrongly.
    pub fn settle(self, found: Counts, fine: bool) -> Counts {
        if self == Self::AsOne {
            return Counts::of_one(fine);
        }
        let silent = found == Counts::default() || (!fine && found.failed == 0);
        Counts { failed: found.failed + u64::from(silent), ..found }
    }
}

fn libtest(line: &str) -> Option<Counts> {
    let (_, numbers) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    let number = |name: &str| {
        let part = numbers.split(';').map(str::trim).find_map(|part| part.strip_suffix(name))?;
        part.trim().parse().ok()
    };
    Some(Counts { passed: number("passed")?, failed: number("failed")? })
}

fn tap(line: &str) -> Option<Counts> {
    let (name, number) = line.strip_prefix("# ")?.split_once(' ')?;
    let number = number.trim().parse().ok()?;
    match name {
        "pass" => Some(Counts { passed: number, failed: 0 }),
        "fail" | "cancelled" => Some(Counts { passed: 0, failed: number }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counting: Counting, output: &str, fine: bool, expected: (u64, u64)) {
        let mut found = Counts::default();
        for line in output.lines() {
            found += counting.of_line(line);
        }
        let Counts { passed, failed } = counting.settle(found, fine);
        assert_eq!((passed, failed), expected, "{output}");
    }

    #[test]
    fn libtest_lines_of_all_binaries_are_added() {
        let output = "running 2 tests\ntest a ... ok\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished\n\
            test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
        check(Counting::Libtest, output, false, (5, 1));
    }

    #[test]
    fn the_summary_of_tap_counts_and_its_tests_do_not() {
        let output = "TAP version 13\nok 1 - a\n# tests 4\n# suites 0\n# pass 2\n# fail 1\n\
                      # cancelled 1\n# skipped 0\n# todo 0\n# duration_ms 5.1\n";
        check(Counting::Tap, output, false, (2, 2));
    }

    #[test]
    fn silence_is_a_failure() {
        check(Counting::Libtest, "error: could not compile", false, (0, 1));
        check(Counting::Libtest, "", true, (0, 1));
        let passed = "test result: ok. 2 passed; 0 failed; 0 ignored";
        check(Counting::Libtest, passed, false, (2, 1));
        check(Counting::Libtest, passed, true, (2, 0));
    }

    #[test]
    fn failures_are_named() {
        let said = |counting: Counting, line| counting.failure_of_line(line);
        assert_eq!(said(Counting::Libtest, "test worker::a ... FAILED"), Some("worker::a"));
        assert_eq!(said(Counting::Libtest, "test worker::a ... ok"), None);
        assert_eq!(said(Counting::Tap, "    not ok 2 - a page"), Some("not ok 2 - a page"));
        assert_eq!(said(Counting::Tap, "      error: 'too late'"), Some("error: 'too late'"));
        assert_eq!(said(Counting::Tap, "    ok 2 - a page"), None);
        assert_eq!(said(Counting::AsOne, "not ok 2 - a page"), None);
    }

    #[test]
    fn a_check_is_one_test() {
        check(Counting::AsOne, "test result: ok. 9 passed; 0 failed", true, (1, 0));
        check(Counting::AsOne, "", false, (0, 1));
    }
}
