package s3store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/videomsg/videomsg/objectstore"
)

const day = 24 * time.Hour

// rulePrefix begins the ids of our rules; others are the operator's.
const rulePrefix = "videomsg-"

// ApplyLifecycle makes the bucket's lifecycle rules those of r, so that the
// server expires objects also while no sweeper runs; rules whose ids do not begin
// with "videomsg-" stay. S3 counts in whole days: a period is rounded up, and the
// sweeper is what keeps to the hour. Uploads in parts that were never finished go
// after a day. It returns what holds now, in words, one of our rules each.
func (s *Store) ApplyLifecycle(ctx context.Context, r objectstore.Retention) ([]string, error) {
	rules, words, err := lifecycleRules(r)
	if err == nil {
		err = s.applyRules(ctx, rules)
	}
	if err != nil {
		return nil, fmt.Errorf("apply lifecycle to bucket %s: %w", s.bucket, err)
	}
	return words, nil
}

func (s *Store) applyRules(ctx context.Context, rules []types.LifecycleRule) error {
	now, err := s.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &s.bucket})
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "NoSuchLifecycleConfiguration" {
		err, now = nil, nil
	}
	if err != nil {
		return s.classify(err)
	}
	if now != nil {
		for _, rule := range now.Rules {
			if !strings.HasPrefix(aws.ToString(rule.ID), rulePrefix) {
				rules = append(rules, rule)
			}
		}
	}
	_, err = s.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &s.bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
	})
	return s.classify(err)
}

func lifecycleRules(r objectstore.Retention) (rules []types.LifecycleRule, words []string, err error) {
	if err := r.Validate(); err != nil {
		return nil, nil, err
	}
	words = []string{"unfinished uploads are removed after 1 day"}
	rules = []types.LifecycleRule{{
		ID: aws.String(rulePrefix + "unfinished-uploads"), Status: types.ExpirationStatusEnabled,
		Filter:                         &types.LifecycleRuleFilter{Prefix: aws.String("")},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(1)},
	}}
	for _, c := range objectstore.Classes() {
		d := r[c]
		if d == 0 {
			continue
		}
		days := min((d+day-1)/day, 1<<31-1)
		words = append(words, fmt.Sprintf("%s/ is removed after %d days", c, days))
		rules = append(rules, types.LifecycleRule{
			ID: aws.String(rulePrefix + string(c)), Status: types.ExpirationStatusEnabled,
			Filter:     &types.LifecycleRuleFilter{Prefix: aws.String(string(c) + "/")},
			Expiration: &types.LifecycleExpiration{Days: aws.Int32(int32(days))},
		})
	}
	return rules, words, nil
}
