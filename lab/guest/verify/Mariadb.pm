# Starts a MariaDB on restored data, without network, and asks it whether all is there.
package Mariadb;
use strict;
use warnings;
use Check;

sub verify {
    my ($data, $logs) = @_;
    my %verdict = (started => false, checked => undef, maxId => undef, contiguous => undef, balance => undef);
    my $directory = "$data/mysql";
    problem("no database in $directory"), return \%verdict unless -d $directory;
    my $run = run_folder('mysql');
    my $log = $logs ? "--innodb-log-group-home-dir=$logs/mysql --log-bin=$logs/mysql/binlog" : '';
    my $server = "mariadbd --user=mysql --datadir=$directory $log --skip-networking --socket=$run/sock --pid-file=$run/pid"
        . " --log-error=$run/error.log";
    command("setsid $server >/dev/null 2>&1 </dev/null &");
    if (!wait_until(sub { command("mariadb-admin --socket=$run/sock ping")->{code} == 0 }, 60, 0.3)) {
        problem("MariaDB does not start: " . command("grep -i error $run/error.log | head -n 5")->{output});
        command("pkill -9 -F $run/pid");
        return \%verdict;
    }
    $verdict{started} = true;
    my $query = sub { command("mariadb --socket=$run/sock -N -B lab -e '$_[0]'") };
    my $tables = $query->('CHECK TABLE entries, accounts EXTENDED');
    my @bad = grep { !/\tstatus\tOK$/ } split /\n/, $tables->{output};
    $verdict{checked} = @bad || $tables->{code} ? 'damaged' : 'OK';
    problem("CHECK TABLE: @bad") if @bad;
    my ($max, $contiguous, $balance) = split ' ', $query->(
        'SELECT COALESCE(MAX(id), 0), COALESCE(MAX(id) - MIN(id) + 1 = COUNT(*), 1) FROM entries; SELECT SUM(balance) FROM accounts')->{output};
    @verdict{qw(maxId contiguous balance)} = (number($max), boolean($contiguous), number($balance));
    command("mariadb-admin --socket=$run/sock shutdown", 60);
    return \%verdict;
}

1;
