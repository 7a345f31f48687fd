use super::*;

const SECOND: u64 = 1_000_000_000;

struct Bed {
    breaker: Arc<Breaker>,
    now: Tick,
}

impl Bed {
    fn new() -> Self {
        Self { breaker: Breaker::new(BreakerConfig::default()), now: Tick(1_000 * SECOND) }
    }

    fn wait(&mut self, secs: u64) {
        self.now = Tick(self.now.0 + secs * SECOND);
    }

    /// Whether a call may go, and what becomes of it.
    fn call(&self, verdict: Verdict) -> bool {
        let pass = self.breaker.pass(self.now, 0);
        pass.map(|pass| pass.judge(verdict, self.now, 0)).is_some()
    }

    fn broken() -> Self {
        let bed = Self::new();
        (0..5).for_each(|_| assert!(bed.call(Verdict::Ill)));
        assert_eq!(bed.breaker.standing(bed.now), Standing::Open);
        bed
    }
}

#[test]
fn failures_in_a_row_open_it_and_one_that_works_starts_the_row_anew() {
    let bed = Bed::new();
    for _ in 0..10 {
        (0..4).for_each(|_| assert!(bed.call(Verdict::Ill)));
        assert!(bed.call(Verdict::Well));
        (0..20).for_each(|_| assert!(bed.call(Verdict::Well)));
    }
    assert_eq!(bed.breaker.standing(bed.now), Standing::Closed);
    let bed = Bed::broken();
    assert!(!bed.call(Verdict::Well));
}

#[test]
fn a_share_of_failures_opens_it_and_old_ones_are_forgotten() {
    let mut bed = Bed::new();
    for n in 0..20 {
        assert!(bed.call(if n % 2 == 0 { Verdict::Ill } else { Verdict::Well }), "{n}");
    }
    assert!(bed.call(Verdict::Ill));
    assert_eq!(bed.breaker.standing(bed.now), Standing::Open);

    let mut slow = Bed::new();
    for _ in 0..40 {
        assert!(slow.call(Verdict::Ill) && slow.call(Verdict::Well));
        slow.wait(4);
    }
    assert_eq!(slow.breaker.standing(slow.now), Standing::Closed, "never twenty calls in the window");
    bed.wait(1);
}

#[test]
fn one_probe_at_a_time_and_the_way_back_is_slow() {
    let mut bed = Bed::broken();
    bed.wait(5);
    assert_eq!(bed.breaker.standing(bed.now), Standing::HalfOpen);
    let probe = bed.breaker.pass(bed.now, 0).unwrap();
    assert!(bed.breaker.pass(bed.now, 0).is_none(), "one at a time");
    probe.judge(Verdict::Well, bed.now, 0);
    assert_eq!(bed.breaker.standing(bed.now), Standing::Returning);
    let admitted = |bed: &Bed| {
        let chances = (0..1_000u32).map(|n| n * (u32::MAX / 1_000));
        chances.filter(|chance| bed.breaker.pass(bed.now, *chance).is_some()).count()
    };
    assert!((90..=110).contains(&admitted(&bed)), "{}", admitted(&bed));
    bed.wait(10);
    assert!((480..=520).contains(&admitted(&bed)), "{}", admitted(&bed));
    bed.wait(10);
    assert_eq!(admitted(&bed), 1_000);
    assert_eq!(bed.breaker.standing(bed.now), Standing::Closed);
}

#[test]
fn a_probe_that_fails_doubles_the_time_up_to_the_longest() {
    let mut bed = Bed::broken();
    for secs in [5, 10, 20, 40, 80, 120, 120] {
        bed.wait(secs - 1);
        assert!(!bed.call(Verdict::Well), "{secs}");
        bed.wait(1);
        assert!(bed.call(Verdict::Ill), "{secs}");
    }
}

#[test]
fn a_probe_that_nobody_waited_for_frees_its_place() {
    let mut bed = Bed::broken();
    bed.wait(5);
    drop(bed.breaker.pass(bed.now, 0).unwrap());
    let again = bed.breaker.pass(bed.now, 0).unwrap();
    again.judge(Verdict::Unknown, bed.now, 0);
    assert!(bed.call(Verdict::Well), "nothing was learned: the next one probes");
}

#[test]
fn late_words_of_calls_that_went_before_change_nothing() {
    let bed = Bed::new();
    let early: Vec<Pass> = (0..10).map(|_| bed.breaker.pass(bed.now, 0).unwrap()).collect();
    (0..5).for_each(|_| assert!(bed.call(Verdict::Ill)));
    for pass in early {
        pass.judge(Verdict::Well, bed.now, 0);
    }
    assert_eq!(bed.breaker.standing(bed.now), Standing::Open);
}

#[test]
fn late_failures_of_calls_from_before_do_not_reopen_what_returns() {
    let mut bed = Bed::new();
    let early: Vec<Pass> = (0..10).map(|_| bed.breaker.pass(bed.now, 0).unwrap()).collect();
    let watches: Vec<Watch> = early.iter().map(Pass::watch).collect();
    (0..5).for_each(|_| assert!(bed.call(Verdict::Ill)));
    bed.wait(5);
    assert!(bed.call(Verdict::Well), "the probe");
    assert_eq!(bed.breaker.standing(bed.now), Standing::Returning);
    for (pass, watch) in early.into_iter().zip(watches) {
        pass.judge(Verdict::Ill, bed.now, 0);
        watch.judge(Verdict::Ill, bed.now, 0);
    }
    assert_eq!(bed.breaker.standing(bed.now), Standing::Returning);
    assert!(bed.call(Verdict::Ill), "one that goes now is believed");
    assert_eq!(bed.breaker.standing(bed.now), Standing::Open);
}

#[test]
fn a_probe_from_before_does_not_end_the_probe_of_now() {
    let mut bed = Bed::broken();
    bed.wait(5);
    let old = bed.breaker.pass(bed.now, 0).unwrap();
    bed.breaker.set(BreakerConfig { failures: 0, ..BreakerConfig::default() });
    bed.breaker.set(BreakerConfig::default());
    (0..5).for_each(|_| assert!(bed.call(Verdict::Ill)));
    bed.wait(5);
    let probe = bed.breaker.pass(bed.now, 0).unwrap();
    drop(old);
    assert!(bed.breaker.pass(bed.now, 0).is_none(), "one at a time");
    drop(probe);
}

/// A stream that begins and then ends like this.
fn stream(bed: &Bed, end: Verdict) -> bool {
    let Some(pass) = bed.breaker.pass(bed.now, 0) else { return false };
    let watch = pass.watch();
    pass.judge(Verdict::Well, bed.now, 0);
    watch.judge(end, bed.now, 0);
    true
}

#[test]
fn streams_that_begin_and_then_fail_open_it() {
    let bed = Bed::new();
    for _ in 0..10 {
        (0..4).for_each(|_| assert!(stream(&bed, Verdict::Ill)));
        (0..16).for_each(|_| assert!(stream(&bed, Verdict::Well)));
    }
    assert_eq!(bed.breaker.standing(bed.now), Standing::Closed, "few, and not in a row");
    let mut bed = Bed::new();
    (0..5).for_each(|_| assert!(stream(&bed, Verdict::Ill)));
    assert!(!stream(&bed, Verdict::Well));
    bed.wait(5);
    assert!(stream(&bed, Verdict::Ill), "the probe begins, and fails");
    assert_eq!(bed.breaker.standing(bed.now), Standing::Open);
    let often = Bed::new();
    for n in 0..21 {
        assert!(stream(&often, if n % 2 == 0 { Verdict::Ill } else { Verdict::Well }), "{n}");
    }
    assert!(!stream(&often, Verdict::Well), "every other one");
}

#[test]
fn switched_off_it_never_opens() {
    let breaker = Breaker::new(BreakerConfig { failures: 0, ..BreakerConfig::default() });
    for _ in 0..100 {
        breaker.pass(Tick(0), 0).unwrap().judge(Verdict::Ill, Tick(0), 0);
    }
    assert_eq!(breaker.standing(Tick(0)), Standing::Closed);
}

proptest::proptest! {
    /// Whatever happens in whatever order, a target that works again is asked again.
    #[test]
    fn it_always_comes_back(steps in proptest::collection::vec((0u8..5, 0u64..200), 0..200)) {
        let mut bed = Bed::new();
        let mut passes = Vec::new();
        for (step, secs) in steps {
            bed.wait(secs);
            match step {
                0 => passes.extend(bed.breaker.pass(bed.now, 7)),
                1 => drop(passes.pop()),
                2..=4 => if let Some(pass) = passes.pop() {
                    let verdict = [Verdict::Well, Verdict::Ill, Verdict::Unknown][usize::from(step - 2)];
                    pass.judge(verdict, bed.now, 3);
                },
                _ => {}
            }
        }
        drop(passes);
        for _ in 0..400 {
            bed.wait(1);
            bed.call(Verdict::Well);
        }
        proptest::prop_assert_eq!(bed.breaker.standing(bed.now), Standing::Closed);
    }
}
