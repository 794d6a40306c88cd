package s3store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/videomsg/videomsg/objectstore"
)

const day = 24 * time.Hour

// ApplyLifecycle replaces the bucket's lifecycle rules by those of r, so that the
// server expires objects also while no sweeper runs. S3 counts in whole days: a
// period is rounded up, and the sweeper is what keeps to the hour. Uploads in
// parts that were never finished go after a day.
func (s *Store) ApplyLifecycle(ctx context.Context, r objectstore.Retention) error {
	rules, err := lifecycleRules(r)
	if err == nil {
		_, err = s.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
			Bucket: &s.bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
		})
		err = s.classify(err)
	}
	if err != nil {
		return fmt.Errorf("apply lifecycle to bucket %s: %w", s.bucket, err)
	}
	return nil
}

func lifecycleRules(r objectstore.Retention) ([]types.LifecycleRule, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	rules := []types.LifecycleRule{{
		ID: aws.String("videomsg-unfinished-uploads"), Status: types.ExpirationStatusEnabled,
		Filter:                         &types.LifecycleRuleFilter{Prefix: aws.String("")},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(1)},
	}}
	for c, d := range r {
		if d == 0 {
			continue
		}
		days := min((d+day-1)/day, 1<<31-1)
		rules = append(rules, types.LifecycleRule{
			ID: aws.String("videomsg-" + string(c)), Status: types.ExpirationStatusEnabled,
			Filter:     &types.LifecycleRuleFilter{Prefix: aws.String(string(c) + "/")},
			Expiration: &types.LifecycleExpiration{Days: aws.Int32(int32(days))},
		})
	}
	slices.SortFunc(rules, func(a, b types.LifecycleRule) int {
		if *a.ID < *b.ID {
			return -1
		}
		return 1
	})
	return rules, nil
}
