package payment

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"
)

// The money that a dispute brought is on an order of its own, and goes back by a refund of that. The dispute is refunding first, and
// the refund begins then: of several decisions at once one counts, and no money goes back whose dispute was accepted. The refund is
// named by the dispute's step, so that it begins once, whoever finishes it.

var disputeReference = regexp.MustCompile(`^dispute-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]+$`)

// ReservedRefundReference reports whether only payrelay gives a reference to a refund: it names a dispute's step.
func ReservedRefundReference(reference string) bool { return disputeReference.MatchString(reference) }

// refundDispute gives the money back that a dispute brought, or goes on with that.
func (s *Service) refundDispute(ctx context.Context, d Dispute, reason string) (Dispute, error) {
	switch {
	case d.Status.Final():
		return Dispute{}, &Error{Code: CodeInvalidState, Message: fmt.Sprintf("The dispute is %s already.", d.Status)}
	case !d.Kind.brings():
		return Dispute{}, &Error{Code: CodeInvalidState, Message: "Only the money of a late_success or unauthorized_charge can be given back so: it is on an order of its own. Other money that came beside is given back by the provider: ask the operators. Then accept the dispute."}
	}
	ctx = context.WithoutCancel(ctx)
	if d.Status != DisputeRefunding {
		var err error
		if d, err = s.resolveDispute(ctx, d, DisputeRefunding, reason); err != nil {
			return Dispute{}, err
		}
	}
	return s.finishRefund(ctx, d)
}

// finishRefund sends the refund of a dispute that is refunding, unless it was, and ends the dispute by what became of it. One that
// cannot be stored, or that fails at once, leaves the dispute open. Where that is not known, the dispute stays refunding, and is
// finished later.
func (s *Service) finishRefund(ctx context.Context, d Dispute) (Dispute, error) {
	refund, err := s.giveBack(ctx, d)
	to, reason, failed := DisputeClosed, "", error(nil)
	switch {
	case err != nil && (CodeOf(err) == "" || CodeOf(err) == CodeUnavailable):
		return Dispute{}, err
	case err != nil:
		to, reason, failed = DisputeOpen, "the refund was refused: "+string(CodeOf(err)), err
	case refund.Status == StatusCreated: // whoever sends it ends the dispute
		return d, nil
	case refund.Status == StatusFailed:
		to, reason = DisputeOpen, fmt.Sprintf("refund %s failed", refund.ID)
		failed = &Error{Code: CodeProviderFailed, Message: fmt.Sprintf("The refund %s failed, so the dispute is open as before. See why, and decide again.", refund.ID)}
	default:
		reason = fmt.Sprintf("given back by refund %s", refund.ID)
	}
	ended, err := s.resolveDispute(ctx, d, to, reason)
	if CodeOf(err) == CodeInvalidState { // somebody else has ended it
		if now, readErr := s.Dispute(ctx, d.ShopID, d.ID); readErr == nil && now.Status == to {
			return now, failed
		}
	}
	if err == nil {
		err = failed
	}
	return ended, err
}

// giveBack refunds the order that carries the money which a dispute brought. Called again for the same step of the dispute, it finds
// the refund of the first time.
func (s *Service) giveBack(ctx context.Context, d Dispute) (*Order, error) {
	reason := "The payment succeeded after it had ended without money."
	if d.Kind == DisputeUnauthorizedCharge {
		reason = "The provider charged what the mandate does not allow."
	}
	reference := fmt.Sprintf("dispute-%s-%d", d.ID, d.Sequence-1)
	hash := sha256.Sum256([]byte(reference))
	refund, _, err := s.Refund(ctx, NewRefund{
		Shop: d.ShopID, Payment: d.OrderID, Reference: reference, Reason: reason, AllowDuplicate: true,
		settlesDisputes: d.holdsRefunds(), RequestHash: hash[:],
	})
	return refund, err
}

// refundUnfinished is after how long a refund of a dispute counts as left behind by a process that died.
const refundUnfinished = time.Minute

// FinishRefunds ends the disputes of all shops whose refund a process has left behind.
func (s *Service) FinishRefunds(ctx context.Context) error {
	return s.eachDispute(ctx, DisputeFilter{Status: DisputeRefunding}, func(d Dispute) error {
		if s.Now().Sub(d.UpdatedAt) < refundUnfinished {
			return nil
		}
		_, err := s.finishRefund(ctx, d)
		return err
	})
}

// RefundSurplus gives back what came beside to a shop that wants it so, where it is on an order of its own and nobody has decided
// anything. A refund that fails is not tried once more: the dispute is the shop's then.
func (s *Service) RefundSurplus(ctx context.Context, shop uuid.UUID) error {
	return s.eachDispute(ctx, DisputeFilter{Shop: shop, Status: DisputeOpen}, func(d Dispute) error {
		if d.Sequence > 1 || !d.Kind.brings() {
			return nil
		}
		_, err := s.refundDispute(ctx, d, "the shop has such money refunded at once")
		return err
	})
}

// eachDispute does something for each dispute. That somebody else decided meanwhile, or that a refund failed, is no error.
func (s *Service) eachDispute(ctx context.Context, f DisputeFilter, do func(Dispute) error) error {
	var failed error
	for {
		page, err := s.Disputes(ctx, f)
		if err != nil {
			return errors.Join(failed, err)
		}
		for _, d := range page.Items {
			if err := do(d); err != nil && CodeOf(err) != CodeInvalidState && CodeOf(err) != CodeProviderFailed {
				failed = errors.Join(failed, fmt.Errorf("refund the money of dispute %s: %w", d.ID, err))
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return failed
		}
	}
}
