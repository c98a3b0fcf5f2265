"""What has changed, where and since when? `reading` gathers windows and features, `heat` and `distribution` draw them,
`words` says it in sentences, `page` puts it together."""
