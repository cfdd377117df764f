//! Fairness between the queues of one worker: a queue whose burst took long, by misses as a rule, waits until the others
//! have had as much time. While the others are idle nobody waits. One guest that sends a new flow with every packet thereby
//! costs the other guests of its worker half of their rate, not nearly all of it; what it sends meanwhile waits in its own
//! ring. Hot plane: some arithmetic per poll.

/// Cycles that a queue may take in a turn without paying for them: a burst of hits stays below.
const QUANTUM_CYCLES: u64 = 16_384;
/// What a queue can owe at most: then it is polled again, whatever it did.
const DEBT_MAX_CYCLES: u64 = 1 << 24;

/// The accounts of one worker's queues, in the order of its plan.
pub struct Fair {
    accounts: Vec<Account>,
    /// Cycles spent on packets in this turn and in the one before.
    turn: u64,
    previous: u64,
}

#[derive(Clone, Copy, Default)]
struct Account {
    owed: u64,
    /// Spent in the turn before.
    mine: u64,
}

impl Fair {
    pub fn new(n_queues: usize) -> Fair {
        Fair { accounts: vec![Account::default(); n_queues], turn: 0, previous: 0 }
    }

    /// Whether queue `n` has its turn now.
    #[inline(always)]
    pub fn may_poll(&mut self, n: usize) -> bool {
        let Some(account) = self.accounts.get_mut(n) else { return true };
        if account.owed == 0 {
            return true;
        }
        let others = self.previous.saturating_sub(std::mem::take(&mut account.mine));
        account.owed = if others == 0 { 0 } else { account.owed.saturating_sub(others) };
        account.owed == 0
    }

    /// Queue `n` was polled and took so many cycles; 0 when it had nothing.
    #[inline(always)]
    pub fn spent(&mut self, n: usize, cycles: u64) {
        if let Some(account) = self.accounts.get_mut(n) {
            *account =
                Account { owed: cycles.saturating_sub(QUANTUM_CYCLES).min(DEBT_MAX_CYCLES), mine: cycles };
        }
        self.turn += cycles;
    }

    #[inline(always)]
    pub fn end_turn(&mut self) {
        self.previous = std::mem::take(&mut self.turn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cycles that each queue gets in `turns`, when a poll of it costs so many.
    fn run(costs: &[u64], turns: usize) -> Vec<u64> {
        let (mut fair, mut got) = (Fair::new(costs.len()), vec![0; costs.len()]);
        for _ in 0..turns {
            for (n, &cost) in costs.iter().enumerate() {
                if fair.may_poll(n) {
                    fair.spent(n, cost);
                    got[n] += cost;
                }
            }
            fair.end_turn();
        }
        got
    }

    #[test]
    fn a_storm_of_misses_leaves_half_to_the_others() {
        let got = run(&[300_000, 6_000], 10_000);
        let share = got[1] as f64 / (got[0] + got[1]) as f64;
        assert!(share > 0.45, "{got:?}");
        let got = run(&[300_000, 6_000, 6_000], 10_000);
        assert!(got[1] == got[2] && got[1] * 2 > got[0] * 8 / 10, "{got:?}");
    }

    #[test]
    fn nobody_waits_for_the_idle_or_for_hits() {
        assert_eq!(run(&[300_000, 0], 100)[0], 300_000 * 100);
        assert_eq!(run(&[12_000, 6_000], 100), [1_200_000, 600_000]);
        let got = run(&[300_000, 300_000], 100);
        assert_eq!(got[0], got[1]);
    }
}
