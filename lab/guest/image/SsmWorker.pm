package SsmWorker;
# One document step, with the manners of the real ssm-document-worker.
use strict;
use warnings;
use Encode qw(decode encode FB_DEFAULT);
use File::Path qw(make_path);
use IO::Select;
use JSON::PP;
use POSIX qw(:sys_wait_h setpgid);
use Time::HiRes qw(time);

use constant {
    LIBRARY => '/var/lib/amazon/ssm',
    LOG => '/var/log/amazon/ssm/amazon-ssm-agent.log',
    STREAM_LIMIT => 24_000,
    TRUNCATED => '--output truncated--',
};

sub folder     { my ($instance, $command) = @_; return LIBRARY . "/$instance/document/orchestration/$command/runShellScript" }
sub state_file { my ($instance, $command) = @_; return LIBRARY . "/$instance/document/state/current/$command" }
sub state_files { return glob LIBRARY . '/*/document/state/current/*' }

sub make_folder {
    my ($folder) = @_;
    make_path($folder, { mode => 0700 });
    (my $state = $folder) =~ s{/orchestration/.*}{/state/current};
    make_path($state, { mode => 0700 });
}

sub work {
    my ($step, $folder) = @_;
    my $stopped;
    local $SIG{TERM} = sub { $stopped //= 'Cancelled' };
    local $SIG{HUP} = 'IGNORE';
    local $SIG{CHLD} = sub { };
    $0 = "ssm-document-worker $step->{command}";

    note("running command $step->{command}");
    my $script = "$folder/_script.sh";
    write_file($script, $step->{script}, 0700);
    my ($pid, %streams) = spawn($step, $script);
    my ($code, $stray, $killed_at);
    my $deadline = time + $step->{timeoutSeconds};
    my %text = (stdout => '', stderr => '');
    my $readable = IO::Select->new(values %streams);

    # The step ends when the process is gone and nobody holds its pipes any more.
    while (!defined $code || $readable->count) {
        for my $name (keys %streams) {
            my $handle = $streams{$name};
            next unless $readable->exists($handle) && IO::Select->new($handle)->can_read(0);
            $readable->remove($handle) unless sysread $handle, $text{$name}, 65536, length $text{$name};
        }
        $code = exit_code($?) if !defined $code && waitpid($pid, WNOHANG) > 0;
        $stopped //= 'TimedOut' if time > $deadline;
        if ($stopped && !$killed_at) {
            $killed_at = time;
            # No such group: only a child in a session of its own still holds a pipe. The real agent calls this Failed.
            $stray = 1 unless kill 'KILL', -$pid;
        }
        last if $killed_at && defined $code && time - $killed_at > 1;
        $readable->count ? $readable->can_read(0.05) : select undef, undef, undef, 0.005;
    }

    my $outcome = outcome($code, $stopped, $stray);
    $text{stderr} = '' if $code == 168 && !$stopped;
    $text{stderr} .= "\n$outcome->{remark}" if $outcome->{remark};
    note("finished command $step->{command}: $outcome->{status} $outcome->{code}");
    write_file("$folder/outcome.json.new", encode_json({
        status => $outcome->{status}, code => $outcome->{code}, map { $_ => cut($text{$_}) } keys %text,
    }));
    rename "$folder/outcome.json.new", "$folder/outcome.json";
}

sub spawn {
    my ($step, $script) = @_;
    pipe my $out, my $out_end or die "pipe: $!";
    pipe my $err, my $err_end or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        setpgid(0, 0);
        $SIG{$_} = 'DEFAULT' for qw(TERM HUP CHLD);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $out_end;
        open STDERR, '>&', $err_end;
        chdir '/usr/bin';
        umask 022;
        %ENV = environment($step);
        exec 'sh', '-c', $script or POSIX::_exit(126);
    }
    setpgid($pid, $pid);
    return ($pid, stdout => $out, stderr => $err);
}

# No HOME, USER or SHELL: the real agent gives none.
sub environment {
    my ($step) = @_;
    return (
        PATH => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        LANG => 'C.UTF-8',
        (map { $_ => $ENV{$_} } grep { defined $ENV{$_} } qw(INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID)),
        AWS_SSM_INSTANCE_ID => $step->{instance},
        AWS_SSM_REGION_NAME => $step->{region},
        AWS_SSM_PLATFORM_NAME => 'Debian GNU/Linux',
        AWS_SSM_PLATFORM_VERSION => '12',
        SSM_COMMAND_ID => $step->{command},
    );
}

sub outcome {
    my ($code, $stopped, $stray) = @_;
    return { status => 'Failed', code => 1, remark => 'no such process' } if $stray;
    return { status => $stopped, code => 137 } if $stopped;
    return { status => 'Success', code => $code } if $code == 0 || $code == 168;
    return { status => 'TimedOut', code => 137 } if $code == 137;
    return { status => 'Failed', code => $code, remark => "failed to run commands: exit status $code" };
}

sub exit_code { my ($status) = @_; return WIFSIGNALED($status) ? 128 + WTERMSIG($status) : WEXITSTATUS($status) }

sub cut {
    my $text = decode('UTF-8', $_[0], FB_DEFAULT);
    return $text if length $text <= STREAM_LIMIT;
    return substr($text, 0, STREAM_LIMIT - length TRUNCATED) . TRUNCATED;
}

sub note {
    my ($message) = @_;
    make_path('/var/log/amazon/ssm') unless -d '/var/log/amazon/ssm';
    open my $log, '>>', LOG or return;
    print {$log} POSIX::strftime('%Y-%m-%d %H:%M:%S', gmtime) . " INFO $message\n";
    close $log;
}

sub read_file {
    my ($path) = @_;
    open my $file, '<:raw', $path or return '';
    local $/;
    my $text = <$file> // '';
    $text =~ s/\n\z//;
    return $text;
}

sub write_file {
    my ($path, $text, $mode) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    open my $file, '>:raw', $path or die "$path: $!";
    chmod $mode, $path if $mode;
    print {$file} $text;
    close $file or die "$path: $!";
}

1;
