package saturation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

var plan = Plan{From: 50_000, Least: 48, To: 5_000_000, Limit: LimitAsked, Precision: 0.05, Confirm: 2}

// TestNext is the search by example.
func TestNext(t *testing.T) {
	held := func(rate int64) Trial { return Trial{Rate: rate, Finding: Held} }
	broke := func(rate int64) Trial { return Trial{Rate: rate, Finding: Broke, Reason: "lost"} }
	late := func(rate int64) Trial { return Trial{Rate: rate, Finding: Late, Reason: "late"} }
	disturbed := func(t Trial) Trial { t.Disturbed = "stolen"; return t }
	doubt := func(rate int64) Trial { return Trial{Rate: rate, Finding: Doubt, Reason: "torn"} }
	narrow := plan
	narrow.To, narrow.Confirm = 80_000, 1
	generator := narrow
	generator.Limit = LimitGenerator
	once := plan
	once.Confirm = 1
	for _, c := range []struct {
		why    string
		plan   Plan
		trials []Trial
		rate   int64
		want   Answer
	}{
		{"it begins where it was told to", plan, nil, 50_000, Answer{}},
		{"a rate that held is confirmed", plan, []Trial{held(50_000)}, 50_000, Answer{}},
		{"confirmed, it is doubled", plan, []Trial{held(50_000), held(50_000)}, 100_000, Answer{Rate: 50_000}},
		{"one replicate that breaks ends its rate", plan, []Trial{held(50_000), broke(50_000)}, 25_000, Answer{Above: 50_000}},
		{"one that breaks on a disturbed machine is repeated", once, []Trial{held(50_000), disturbed(broke(100_000))}, 100_000, Answer{Rate: 50_000}},
		{"and may hold then", once, []Trial{disturbed(broke(50_000)), held(50_000)}, 100_000, Answer{Rate: 50_000}},
		{"so is a generator that was late on one", once, []Trial{disturbed(late(50_000)), disturbed(late(50_000))}, 50_000, Answer{}},
		{"but not for ever", once, []Trial{disturbed(broke(50_000)), disturbed(late(50_000)), disturbed(broke(50_000))}, 25_000, Answer{Above: 50_000}},
		{"what holds on a disturbed machine holds", once, []Trial{disturbed(held(50_000))}, 100_000, Answer{Rate: 50_000}},
		{"without a rate that held it is halved", once, []Trial{broke(50_000), broke(25_000)}, 12_500, Answer{Above: 25_000}},
		{"the middle in the logarithm", once, []Trial{held(50_000), broke(100_000)}, 70_710, Answer{Rate: 50_000, Above: 100_000}},
		{"close enough", once, []Trial{held(50_000), held(100_000), broke(105_000)}, 0, Answer{100_000, 105_000, Found, "lost"}},
		{"not beyond the highest", narrow, []Trial{held(50_000)}, 80_000, Answer{Rate: 50_000}},
		{"the highest held", narrow, []Trial{held(50_000), held(80_000)}, 0, Answer{80_000, 0, AtLeast, "no higher rate was asked for"}},
		{"the highest held, and the generator has no more", generator, []Trial{held(50_000), held(80_000)}, 0, Answer{80_000, 0, AtLeast, "the generator is the limit"}},
		{"the generator was late: its limit is searched", once, []Trial{held(50_000), late(100_000)}, 70_710, Answer{Rate: 50_000, Above: 100_000}},
		{"and it is the end", once, []Trial{held(50_000), late(52_000)}, 0, Answer{50_000, 52_000, AtLeast, "the generator is the limit: late"}},
		{"but the target broke below it", once, []Trial{held(50_000), late(100_000), broke(52_000)}, 0, Answer{50_000, 52_000, Found, "lost"}},
		{"no rate", Plan{From: 2, Least: 1, To: 4, Limit: LimitAsked, Precision: 0.05, Confirm: 1}, []Trial{broke(2), broke(1)}, 0, Answer{0, 1, NoRate, "lost"}},
		{"the generator can offer nothing", Plan{From: 1, Least: 1, To: 4, Limit: LimitAsked, Precision: 0.05, Confirm: 1}, []Trial{late(1)}, 0, Answer{0, 1, Unmeasured, "late"}},
		{"whole rates that are next to each other", Plan{From: 2, Least: 1, To: 4, Limit: LimitAsked, Precision: 0.05, Confirm: 1}, []Trial{held(2), broke(3)}, 0, Answer{2, 3, Found, "lost"}},
		{"a trial without a result ends it, and what held stays", once, []Trial{held(50_000), doubt(100_000)}, 0, Answer{50_000, 0, Unmeasured, "torn"}},
	} {
		rate, got := c.plan.Next(c.trials)
		if rate != c.rate || got != c.want {
			t.Errorf("%s: next %d, %+v; want %d, %+v", c.why, rate, got, c.rate, c.want)
		}
	}
}

// search carries a search out against a simulated target, and fails when it takes
// more trials than it may.
func search(t *testing.T, p Plan, try func(rate int64) Finding) Answer {
	t.Helper()
	var trials []Trial
	for {
		rate, answer := p.Next(trials)
		if rate == 0 {
			return answer
		}
		if rate < 1 || rate > p.To {
			t.Fatalf("%+v tries a rate of %d", p, rate)
		}
		if len(trials) == p.Bound() {
			t.Fatalf("%+v takes more than the %d trials that it may: %+v", p, p.Bound(), trials)
		}
		trials = append(trials, Trial{Rate: rate, Finding: try(rate), Reason: "x"})
	}
}

// somePlan draws a plan of any size.
func somePlan(rng *rand.Rand) Plan {
	p := Plan{From: int64(math.Exp(rng.Float64() * 14)), Limit: LimitAsked, Confirm: 1 + rng.IntN(4), Precision: 0.01 * math.Pow(100, rng.Float64())}
	p.From = max(p.From, 1)
	p.Least = 1 + int64(rng.Float64()*rng.Float64()*float64(p.From-1))
	p.To = p.From + int64(float64(p.From)*math.Exp(rng.Float64()*7))
	return p
}

// TestSearchFindsTheCapacity: of a target that takes exactly so much, whatever the
// plan, the answer is within the precision; one that takes more than the highest
// rate is known by a lower bound.
func TestSearchFindsTheCapacity(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	ends := map[End]int{}
	for range 20_000 {
		p := somePlan(rng)
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		capacity := int64(float64(p.From) * math.Exp((rng.Float64()-0.3)*10))
		a := search(t, p, func(rate int64) Finding {
			if rate > capacity {
				return Broke
			}
			return Held
		})
		ends[a.End]++
		fits := false
		switch a.End {
		case Found:
			fits = a.Rate <= capacity && capacity < a.Above && (float64(a.Above) <= float64(a.Rate)*(1+p.Precision) || a.Above-a.Rate == 1)
		case AtLeast:
			fits = a.Rate == p.To && capacity >= p.To
		case NoRate:
			fits = a.Rate == 0 && capacity < p.Least
		}
		if !fits {
			t.Fatalf("a capacity of %d, %+v: %+v", capacity, p, a)
		}
	}
	for _, e := range []End{Found, AtLeast, NoRate} {
		if ends[e] < 100 {
			t.Errorf("only %d searches ended as %s: the cases do not cover it", ends[e], e)
		}
	}
}

// TestSearchOfANoisyTarget: where chance decides near the capacity, the answer
// lands where it does, and no further off than that and the precision.
func TestSearchOfANoisyTarget(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	const noise = 0.1 // below (1-noise) of the capacity it always holds, above (1+noise) never
	for range 5000 {
		p := plan
		p.Confirm = 1 + rng.IntN(3)
		capacity := 60_000 * math.Exp(3*rng.Float64())
		a := search(t, p, func(rate int64) Finding {
			chance := 0.5 - (float64(rate)/capacity-1)/noise/2
			if rng.Float64() < chance {
				return Held
			}
			return Broke
		})
		off := float64(a.Rate) / capacity
		if a.End != Found || off > 1+noise || off < (1-noise)/(1+p.Precision) {
			t.Fatalf("a capacity of %.0f, confirmed %d times: %+v, which is %.3f of it", capacity, p.Confirm, a, off)
		}
	}
}

// TestSearchAlwaysEnds: replicates that contradict each other at will, and ones
// without a result, end within the bound as well.
func TestSearchAlwaysEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for range 20_000 {
		holds := rng.Float64()
		a := search(t, somePlan(rng), func(int64) Finding {
			switch x := rng.Float64(); {
			case x < holds:
				return Held
			case x < 0.99:
				return [...]Finding{Broke, Late}[rng.IntN(2)]
			}
			return Doubt
		})
		if a.Above > 0 && a.Rate >= a.Above {
			t.Fatalf("%d held and %d did not: %+v", a.Rate, a.Above, a)
		}
	}
}

// TestSearchOfALateGenerator: where the generator gives out before the target, the
// answer is a lower bound close to what it can do.
func TestSearchOfALateGenerator(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for range 2000 {
		ceiling := int64(60_000 * math.Exp(3*rng.Float64()))
		a := search(t, plan, func(rate int64) Finding {
			if rate > ceiling {
				return Late
			}
			return Held
		})
		if a.End != AtLeast || a.Rate > ceiling || float64(a.Rate)*(1+plan.Precision) < float64(ceiling) || !strings.HasPrefix(a.Reason, "the generator is the limit") {
			t.Fatalf("a generator of %d: %+v", ceiling, a)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	for want, change := range map[string]func(*Plan){
		"from 0 to":         func(p *Plan) { p.From = 0 },
		"no lower":          func(p *Plan) { p.To = 1 },
		"down to 0":         func(p *Plan) { p.Least = 0 },
		"which is 50000":    func(p *Plan) { p.Least = 50_001 },
		"a precision of 0:": func(p *Plan) { p.Precision = 0 },
		"precision of NaN":  func(p *Plan) { p.Precision = math.NaN() },
		"confirm a rate 0":  func(p *Plan) { p.Confirm = 0 },
		"stands for":        func(p *Plan) { p.Limit = "" },
	} {
		p := plan
		change(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", p, err, want)
		}
	}
}

func ExamplePlan_Next() {
	p := Plan{From: 50_000, Least: 48, To: 5_000_000, Limit: LimitAsked, Precision: 0.05, Confirm: 1}
	var trials []Trial
	for {
		rate, answer := p.Next(trials)
		if rate == 0 {
			fmt.Println(answer.End, answer.Rate)
			return
		}
		finding := Held
		if rate > 180_000 { // what this target takes
			finding = Broke
		}
		fmt.Println(rate, finding)
		trials = append(trials, Trial{Rate: rate, Finding: finding})
	}
	// Output:
	// 50000 held
	// 100000 held
	// 200000 broke
	// 141400 held
	// 168200 held
	// 183400 broke
	// 175600 held
	// found 175600
}
