//! A strict reader of the OpenMetrics text format: what a scraper would refuse fails here.

use std::collections::{BTreeMap, BTreeSet};

/// Samples by name and labels.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) types: BTreeMap<String, String>,
    samples: BTreeMap<(String, BTreeMap<String, String>), f64>,
}

impl Page {
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut family = String::new();
        let mut ended = false;
        let mut helped = BTreeSet::new();
        for line in text.split_inclusive('\n') {
            assert!(!ended, "something after EOF: {line}");
            let line = line.strip_suffix('\n').expect("every line ends");
            if line == "# EOF" {
                ended = true;
            } else if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(helped.insert(name.to_owned()), "two families: {name}");
                assert!(!help.is_empty() && !help.contains(".."), "{line}");
                family = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, family, "TYPE follows its HELP");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(page.types.insert(name.to_owned(), kind.to_owned()).is_none());
            } else {
                page.sample(line, &family);
            }
        }
        assert!(ended, "no EOF");
        page.histograms();
        page
    }

    fn sample(&mut self, line: &str, family: &str) {
        let end = line.find(['{', ' ']).unwrap();
        let name = &line[..end];
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
        let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{name} is not of {family}"));
        let allowed: &[&str] = match &*self.types[family] {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        assert!(allowed.contains(&suffix), "{line}");
        let (labels, value) = match line[end..].strip_prefix('{') {
            Some(rest) => labels(rest),
            None => (BTreeMap::new(), &line[end..]),
        };
        let value: f64 = value.strip_prefix(' ').expect("one space").parse().unwrap();
        assert!(value.is_finite(), "{line}");
        assert!(suffix != "_total" || value >= 0.0);
        assert!(self.samples.insert((name.to_owned(), labels), value).is_none(), "twice: {line}");
    }

    /// Buckets grow, end in +Inf and agree with their count.
    fn histograms(&self) {
        for (family, _) in self.types.iter().filter(|(_, kind)| *kind == "histogram") {
            let mut series: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
            for ((name, labels), value) in &self.samples {
                if *name == format!("{family}_bucket") {
                    let mut labels = labels.clone();
                    let le = labels.remove("le").expect("a bucket has a bound");
                    let le = if le == "+Inf" { f64::INFINITY } else { le.parse().unwrap() };
                    series.entry(labels).or_default().push((le, *value));
                }
            }
            for (labels, mut buckets) in series {
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(buckets.windows(2).all(|w| w[0].1 <= w[1].1), "{family} {labels:?}");
                let last = buckets.last().unwrap();
                assert!(last.0.is_infinite());
                let count = self.samples[&(format!("{family}_count"), labels.clone())];
                assert!((count - last.1).abs() < f64::EPSILON);
                assert!(self.samples.contains_key(&(format!("{family}_sum"), labels)));
            }
        }
    }

    /// The value of a sample; 0 when it is not there.
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied().unwrap_or(0.0)
    }

    /// The sum over all samples of a name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.samples.iter().filter(|((n, _), _)| n == name).map(|(_, v)| v).sum()
    }

    /// The values that a label has.
    pub(crate) fn values(&self, name: &str, label: &str) -> BTreeSet<&str> {
        self.samples
            .keys()
            .filter(|(n, _)| n == name)
            .filter_map(|(_, l)| l.get(label))
            .map(|v| &**v)
            .collect()
    }

    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|(name, _)| &**name).collect()
    }
}

/// The labels up to `}`, and what follows.
fn labels(mut rest: &str) -> (BTreeMap<String, String>, &str) {
    let mut out = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !name.is_empty(), "{rest}");
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().unwrap() {
                (_, '\\') => match chars.next().unwrap().1 {
                    'n' => value.push('\n'),
                    c @ ('\\' | '"') => value.push(c),
                    c => panic!("not an escape: \\{c}"),
                },
                (at, '"') => break at,
                (_, c) => value.push(c),
            }
        };
        assert!(!value.is_empty(), "an empty label is a missing one");
        assert!(out.insert(name.to_owned(), value).is_none(), "a label twice");
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (out, rest.strip_prefix('}').expect("labels end")),
        }
    }
}
