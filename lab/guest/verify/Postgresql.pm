# Starts a PostgreSQL on restored data, without network, asks it whether all is there, and checks every page's checksum.
package Postgresql;
use strict;
use warnings;
use Check;

my $bin = '/usr/lib/postgresql/15/bin';

sub verify {
    my ($data, $logs) = @_;
    my %verdict = (started => false, checked => undef, maxId => undef, contiguous => undef, balance => undef);
    my $directory = "$data/postgresql";
    problem("no database in $directory"), return \%verdict unless -d $directory;
    my $run = run_folder('postgres');
    my $as = 'runuser -u postgres --';
    unlink "$directory/postmaster.pid";
    my $start = command("$as $bin/pg_ctl start -D $directory -w -t 60 -l $run/log -o '-k $run'", 70);
    if ($start->{code}) {
        problem("PostgreSQL does not start: " . command("grep -E 'FATAL|PANIC|ERROR' $run/log | head -n 5")->{output});
        command("$as $bin/pg_ctl stop -D $directory -m immediate");
        return \%verdict;
    }
    $verdict{started} = true;
    my $query = sub { command("psql -h $run -X -q -A -t -F ' ' lab -c '$_[0]'") };
    # Every row of every table is read; damage in one ends the dump.
    my $dump = command("pg_dump -h $run -U root lab >/dev/null", 60);
    my ($max, $contiguous) = split ' ', $query->(
        'SELECT COALESCE(MAX(id), 0), COALESCE(MAX(id) - MIN(id) + 1 = COUNT(*), true)::int FROM entries')->{output};
    my ($balance) = split ' ', $query->('SELECT SUM(balance) FROM accounts')->{output};
    @verdict{qw(maxId contiguous balance)} = (number($max), boolean($contiguous), number($balance));
    command("$as $bin/pg_ctl stop -D $directory -w -m fast", 60);
    my $pages = command("$as $bin/pg_checksums --check -D $directory", 60);
    $verdict{checked} = $dump->{code} || $pages->{code} ? 'damaged' : 'OK';
    problem("PostgreSQL: $dump->{output} $pages->{output}") if $verdict{checked} ne 'OK';
    return \%verdict;
}

1;
