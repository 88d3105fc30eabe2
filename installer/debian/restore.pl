# SPDX-License-Identifier: Apache-2.0
# Puts browser policies back as they were before icelock, by the ledger (host/policy/ledger.h), with what perl-base
# has. Does the simple part of `icelock revert`: a file that is still as icelock wrote it gets its original back, byte
# for byte. One that somebody edited since is left alone, and named. Argument: the root. Exit 0 when nothing is left
# to restore; the ledger is gone then. Else 1, and the ledger is as it was, which revert and this can go on from.
use strict;
use warnings;
use Fcntl qw(:DEFAULT :flock :mode);
use IO::Handle;

my $root = shift // die "usage: restore.pl ROOT\n";
$root =~ s{/+$}{};
my $ledger_folder = "var/lib/icelock";
my $ledger        = "$ledger_folder/ledger.json";
my $place         = qr{^etc/(?:(?:chromium|brave|opt/[a-z]+)/policies/(?:managed|recommended)/zz-icelock\.json
                            |firefox/policies/policies\.json|icelock/icelock\.json)\z}x;
my $left = 0;

sub leave {
    my ($path, $why) = @_;
    print STDERR "icelock: left as it is: $root/$path: $why\n";
    $left++;
    return;
}

# The text is JSON as nlohmann's dump writes it; anything else dies.
my $text;

sub value {
    $text =~ /\G\s+/gc;
    if ($text =~ /\G\{/gc) {
        my %object;
        return \%object if $text =~ /\G\s*\}/gc;
        do {
            my $key = value();
            $text =~ /\G\s*:/gc or die "no colon\n";
            $object{$key} = value();
        } while $text =~ /\G\s*,/gc;
        $text =~ /\G\s*\}/gc or die "no end of an object\n";
        return \%object;
    }
    if ($text =~ /\G\[/gc) {
        my @array;
        return \@array if $text =~ /\G\s*\]/gc;
        do { push @array, value() } while $text =~ /\G\s*,/gc;
        $text =~ /\G\s*\]/gc or die "no end of an array\n";
        return \@array;
    }
    return string() if $text =~ /\G"/gc;
    return $1 if $text =~ /\G(-?[0-9]+)/gc;
    return undef if $text =~ /\Gnull/gc;
    die "not a ledger\n";
}

sub string {
    my %plain  = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t", map { $_ => $_ } '"', "\\", "/");
    my $string = "";
    until ($text =~ /\G"/gc) {
        if ($text =~ /\G([^"\\\x00-\x1f]+)/gc) { $string .= $1 }
        elsif ($text =~ /\G\\u([0-9a-fA-F]{4})/gc) { $string .= chr hex $1 }
        elsif ($text =~ m{\G\\(["\\/bfnrt])}gc) { $string .= $plain{$1} }
        else { die "no end of a string\n" }
    }
    # One code point for each byte of a file.
    utf8::downgrade($string, 1) or die "not the code points of bytes\n";
    return $string;
}

sub slurp {
    my ($path) = @_;
    sysopen my $file, "$root/$path", O_RDONLY | O_NOFOLLOW or die "cannot open: $!\n";
    binmode $file;
    local $/ = undef;
    return scalar readline($file) // "";
}

# Every folder on the way must be root's own (or the caller's, in a test), and no link.
sub check_way {
    my ($path) = @_;
    my $folder = $root;
    my @steps  = split m{/}, $path;
    pop @steps;
    for my $step (@steps) {
        $folder .= "/$step";
        my @stat = lstat $folder or die "no folder $folder\n";
        S_ISDIR($stat[2]) or die "$folder is no folder\n";
        ($stat[4] == 0 || $stat[4] == $>) && !($stat[2] & 022) or die "$folder is open to others\n";
    }
    return;
}

sub put_back {
    my ($path, $was) = @_;
    defined $was->{$_} or die "the ledger does not say its $_\n" for qw(bytes mode uid gid mtime_ns);
    my $target = "$root/$path";
    # Beside the folder that the browser watches, as icelock does it.
    my ($stage) = $target =~ m{^(.*)/[^/]+/[^/]+\z};
    $stage .= "/.icelock-purge.$$";
    sysopen my $file, $stage, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600 or die "cannot stage: $!\n";
    my $done = eval {
        binmode $file;
        print {$file} $was->{bytes} or die "cannot write: $!\n";
        $file->flush && $file->sync or die "cannot write: $!\n";
        chown $was->{uid}, $was->{gid}, $file or die "cannot give it back to its owner: $!\n";
        chmod $was->{mode} & 07777, $file or die "cannot set the mode: $!\n";
        close $file or die "cannot write: $!\n";
        # Perl's own utime knows no nanoseconds.
        my ($sign, $ns) = $was->{mtime_ns} < 0 ? ("-", -$was->{mtime_ns}) : ("", $was->{mtime_ns});
        my $rest = $ns % 1_000_000_000;
        my $time = sprintf '@%s%d.%09d', $sign, ($ns - $rest) / 1_000_000_000, $rest;
        system("touch", "--date=$time", "--", $stage) == 0 or die "cannot set the time\n";
        rename $stage, $target or die "cannot rename: $!\n";
    };
    return if $done;
    my $why = $@;
    unlink $stage;
    die $why;
}

sub restore {
    my ($entry) = @_;
    my $path = $entry->{path};
    $path =~ $place or die "no place of a browser's policy\n";
    # Taken away by somebody: it stays away, as with revert.
    lstat "$root/$path" or return;
    check_way($path);
    lstat "$root/$path" or return;
    -f _ && !-l _ or die "no regular file\n";
    my $now = slurp($path);
    my $was = $entry->{original};
    return if $was && $was->{bytes} eq $now;
    grep { $_ eq $now } @{$entry->{written}} or die "somebody edited it since icelock wrote it\n";
    if   ($was) { put_back($path, $was) }
    else        { unlink "$root/$path" or die "cannot remove: $!\n" }
    return;
}

my $known = eval {
    check_way($ledger);
    # Held to the end: two at work on one ledger would undo each other.
    sysopen our $lock, "$root/$ledger_folder", O_RDONLY or die "$!\n";
    flock $lock, LOCK_EX | LOCK_NB or die "another icelock is at work\n";
    $text = slurp($ledger);
    utf8::decode($text) or die "not UTF-8\n";
    my $parsed = value();
    $text =~ /\G\s*\z/gc or die "more than a ledger\n";
    ref $parsed eq "HASH" && ($parsed->{v} // "") eq "1" or die "written by another version\n";
    ref $parsed->{$_} eq "ARRAY" or die "no $_ in it\n" for qw(files folders);
    $parsed;
};
if (!$known) {
    chomp(my $why = $@);
    leave($ledger, $why);
    exit 1;
}
for my $entry (@{$known->{files}}) {
    next if eval { restore($entry); 1 };
    chomp(my $why = $@);
    leave($entry->{path}, $why);
}
exit 1 if $left;

# Folders that apply made; those that others use by now are not empty.
for my $folder (reverse @{$known->{folders}}) {
    rmdir "$root/$folder" if $folder =~ m{^etc/[a-z/]+\z};
}
unlink "$root/$ledger" or exit 1;
