"""How good an organization's data is: profile, checks with scores, report with a trend."""
