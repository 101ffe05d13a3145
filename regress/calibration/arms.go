package calibration

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"floodgate/scenarios"
)

// MostArms bounds a calibration: each arm takes as many pairs as all others.
const MostArms = 40

// Arms are copies of a scenario in blocks, if asked for, and woven in each of the
// slices; all of them without a planted change, and with each of planted, which
// are percents. Names end in the order and the percents, so that records of one
// arm are told from those of another. The error says which arm the scenario does
// not allow.
func Arms(s scenarios.Scenario, blocks bool, slices []time.Duration, planted []float64) ([]Arm, error) {
	var arms []Arm
	for _, percent := range append([]float64{0}, planted...) {
		if blocks {
			arm, err := newArm(s, scenarios.Blocks, 0, percent)
			if err != nil {
				return nil, err
			}
			arms = append(arms, arm)
		}
		for _, slice := range slices {
			arm, err := newArm(s, scenarios.Woven, slice, percent)
			if err != nil {
				return nil, err
			}
			arms = append(arms, arm)
		}
	}
	switch seen := map[string]bool{}; {
	case len(arms) == 0:
		return nil, fmt.Errorf("cannot calibrate %s without an order: want blocks, or a slice at least", s.Name)
	case len(arms) > MostArms:
		return nil, fmt.Errorf("cannot calibrate %s in %d arms: want at most %d", s.Name, len(arms), MostArms)
	default:
		for _, arm := range arms {
			if seen[arm.Copy.Name] {
				return nil, fmt.Errorf("cannot calibrate %s with the same arm twice: %s", s.Name, arm.Copy.Name)
			}
			seen[arm.Copy.Name] = true
		}
	}
	Sort(arms)
	return arms, nil
}

func newArm(s scenarios.Scenario, order scenarios.Order, slice time.Duration, percent float64) (Arm, error) {
	name := s.Name + "_" + string(order)
	if order == scenarios.Woven {
		name = s.Name + "_" + inName(slice.String())
	}
	if percent != 0 {
		name += "_plus" + inName(strconv.FormatFloat(percent, 'g', -1, 64))
	}
	arranged, err := s.Arranged(name, order, slice)
	if err != nil {
		return Arm{}, fmt.Errorf("cannot calibrate %s as %s: %w", s.Name, name, err)
	}
	return Arm{Copy: arranged, Planted: percent / 100}, nil
}

// inName makes a number part of a scenario's name: 2.5 becomes 2_5.
func inName(text string) string {
	return strings.NewReplacer(".", "_", "µ", "u", "-", "_", "+", "").Replace(text)
}
