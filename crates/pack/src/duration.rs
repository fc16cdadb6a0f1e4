//! Durations as people write them: `24 h`, `1 day`, `90 min`.

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A whole number and a unit, in seconds; at most 366 days. A day is 24 hours, whatever the calendar does.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "s" | "second" | "seconds" => 1,
        "min" | "minute" | "minutes" => MINUTE,
        "h" | "hour" | "hours" => HOUR,
        "day" | "days" => DAY,
        "week" | "weeks" => 7 * DAY,
        _ => return None,
    };
    let seconds = number.parse::<i64>().ok()?.checked_mul(unit)?;
    (seconds <= 366 * DAY).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let good = [("24 h", DAY), ("1 day", DAY), ("90 min", 5400), ("2 days", 2 * DAY), ("45s", 45), ("1 week", 7 * DAY), ("0 h", 0)];
        for (text, value) in good {
            assert_eq!(seconds(text), Some(value), "{text}");
        }
        for text in ["", "24", "h", "1.5 h", "-1 h", "1 H", "one day", "1 month", "99999999999999999999 s", "400 days", "1 day 2 h"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
