#!/usr/bin/perl
# The SSM agent as the instance has it: five commands at once, more wait; it writes to /var/lib/amazon and
# /var/log/amazon (and hangs where these are frozen); its workers outlive it, and a new agent takes them over.
#   host: PING x | STEP command json newline script | CANCEL command
#   guest: HELLO x boot-id | BEGIN command | END command json
use strict;
use warnings;
use lib '/usr/local/lib/freezeframe';
use IO::Select;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use Port;
use SsmWorker;

use constant WORKERS => 5;
# How long the real agent waits before it gives up on a worker that was killed.
use constant LOST_WORKER_SECONDS => 60;

my $port = Port->new('org.freezeframe.ssm');
my $readable = IO::Select->new($port->handle);
my (@queue, %running, %known);    # running: command => {pid, folder, lost}

$SIG{CHLD} = sub { };    # only to interrupt select
take_over();
hello();
while (1) {
    my @ready = $readable->can_read(%running ? 0.1 : undef);
    if (@ready) { obey(@$_) for $port->receive }
    1 while waitpid(-1, WNOHANG) > 0;
    report($_) for keys %running;
    start(shift @queue) while @queue && keys %running < WORKERS;
}

sub hello { $port->send('HELLO', '0', SsmWorker::read_file('/proc/sys/kernel/random/boot_id')) }

sub obey {
    my ($verb, $command, $payload) = @_;
    if    ($verb eq 'PING')   { hello() }
    elsif ($verb eq 'CANCEL') { cancel($command) }
    elsif ($verb eq 'STEP' && !$known{$command}++) {
        # The script stays out of the JSON: on an emulated processor Perl takes a third of a second to decode it.
        my ($order, $script) = split /\n/, $payload, 2;
        my $step = decode_json($order);
        SsmWorker::note("received command $command: " . encode_json($step->{parameters} // {}));
        push @queue, { %$step, script => $script, command => $command };
    }
}

# A command that is cancelled in the queue is not run, and nobody ever hears of it again: so does the real agent.
sub cancel {
    my ($command) = @_;
    @queue = grep { $_->{command} ne $command } @queue;
    kill 'TERM', $running{$command}{pid} if $running{$command};
}

sub start {
    my ($step) = @_;
    my $command = $step->{command};
    my $folder = SsmWorker::folder($step->{instance}, $command);
    SsmWorker::make_folder($folder);
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        close $port->handle;
        SsmWorker::work($step, $folder);
        POSIX::_exit(0);
    }
    SsmWorker::write_file(SsmWorker::state_file($step->{instance}, $command), "$pid $folder");
    $running{$command} = { pid => $pid, folder => $folder, state => SsmWorker::state_file($step->{instance}, $command) };
    $port->send('BEGIN', $command, '');
}

sub report {
    my ($command) = @_;
    my $job = $running{$command};
    my $outcome = SsmWorker::read_file("$job->{folder}/outcome.json");
    if ($outcome eq '') {
        return if kill 0, $job->{pid};
        $job->{lost} //= time;
        return if time - $job->{lost} < LOST_WORKER_SECONDS;
        $outcome = encode_json({ status => 'Failed', code => 1, stdout => '', stderr => 'document process failed unexpectedly' });
    }
    delete $running{$command};
    unlink $job->{state};
    $port->send('END', $command, $outcome);
    SsmWorker::note("reported command $command");
}

sub take_over {
    for my $state (SsmWorker::state_files()) {
        my ($command) = $state =~ m{([^/]+)\z};
        my ($pid, $folder) = split ' ', SsmWorker::read_file($state);
        $known{$command} = 1;
        $running{$command} = { pid => $pid, folder => $folder, state => $state } if $folder;
    }
}
