# Starts a Redis on restored data, without network, and asks it whether all is there.
package Redis;
use strict;
use warnings;
use List::Util 'sum0';
use Check;

sub verify {
    my ($data) = @_;
    my %verdict = (started => false, checked => undef, maxId => undef, contiguous => undef, balance => undef);
    my $directory = "$data/redis";
    problem("no database in $directory"), return \%verdict unless -d $directory;
    my $run = run_folder('redis');
    # Before the server mends a torn end: an answer of a server that waits for its disk leaves none.
    my $file = command("redis-check-aof $directory/appendonlydir/appendonly.aof.manifest");
    $verdict{checked} = $file->{code} ? 'damaged' : 'OK';
    problem("redis-check-aof: $file->{output}") if $file->{code};
    command("setsid runuser -u redis -- redis-server --dir $directory --appendonly yes --save '' --port 0"
        . " --unixsocket $run/sock --pidfile $run/pid --logfile $run/log >/dev/null 2>&1 </dev/null &");
    my $ask = sub { command("redis-cli -s $run/sock $_[0]") };
    if (!wait_until(sub { $ask->('PING')->{output} =~ /^PONG/ }, 60, 0.3)) {
        problem('Redis does not start: ' . command("tail -n 5 $run/log")->{output});
        return \%verdict;
    }
    $verdict{started} = true;
    my @entries = split ' ', $ask->('LRANGE entries 0 -1')->{output};
    $verdict{maxId} = @entries ? number($entries[-1]) : 0;
    $verdict{contiguous} = boolean("@entries" eq join ' ', $verdict{maxId} - $#entries .. $verdict{maxId});
    # It begins at nothing, so that the moves add up to nothing; counted as the other databases count.
    $verdict{balance} = 1_000_000 + sum0(split ' ', $ask->('HVALS accounts')->{output});
    $ask->('SHUTDOWN NOSAVE');
    return \%verdict;
}

1;
