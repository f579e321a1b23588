"""Who gets what by chance, and what it brought: arms, intervals, uplift. Pure, stdlib only."""
